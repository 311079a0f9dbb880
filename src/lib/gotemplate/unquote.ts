const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
  "'": "'",
};

/** The string of a Go literal in its quotes ("…", `…` or '…'). Throws an Error for an unknown escape. */
export function unquoteGo(literal: string): string {
  const inner = literal.slice(1, -1);
  if (literal.startsWith("`")) return inner.replaceAll("\r", "");
  return inner.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/gsu, (_, e: string) => {
    if (/^[xuU]./.test(e)) return String.fromCodePoint(Number.parseInt(e.slice(1), 16));
    if (e.length === 3) return String.fromCodePoint(Number.parseInt(e, 8));
    const c = ESCAPES[e];
    if (c === undefined) throw new Error(`invalid syntax: unknown escape \\${e}`);
    return c;
  });
}
