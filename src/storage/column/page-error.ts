/** The bytes are no page of a form that this code knows, or they are damaged in a way that reading notices. */
export class PageError extends Error {
  constructor(message: string) {
    super(`block page: ${message}`);
    this.name = "PageError";
  }
}
