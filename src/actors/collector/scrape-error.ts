/** A scrape that failed because of the target; the message is shown as its last error. */
export class ScrapeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ScrapeError";
  }
}
