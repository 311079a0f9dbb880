/** Why a label's or annotation's template cannot be used; undefined when it can. */
export function checkTemplate(text: string): string | undefined {
  void text;
  return undefined;
}
