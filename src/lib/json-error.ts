/** What may come next. */
type Expected = "value" | "value or ]" | "name" | "name or }" | "colon" | "comma or end" | "end";

const SPACE = /[ \t\n\r]*/y;
const TOKEN = /[{}[\],:]|true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/**
 * Where a text stops being JSON: the offset (UTF-16) of the first token that cannot stand there, and what is there in words.
 * For texts that JSON.parse refused: what it says itself does not always name a place.
 */
export function findJsonError(text: string): { readonly offset: number; readonly found: string } {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)?.[0].length ?? 0;
    if (at >= text.length) return { offset: at, found: "end of the text" };
    const token = tokenAt(text, at);
    const next: Expected | undefined = token === undefined ? undefined : after(expected, token, open);
    if (next === undefined) return { offset: at, found: describe(text, at, token) };
    expected = next;
    at += (token as string).length;
  }
}

function tokenAt(text: string, at: number): string | undefined {
  if (text[at] === '"') return stringAt(text, at);
  TOKEN.lastIndex = at;
  return TOKEN.exec(text)?.[0];
}

/** A string with its quotes; a loop, since a pattern needs time or stack that grows with a long string. */
function stringAt(text: string, start: number): string | undefined {
  for (let i = start + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) return text.slice(start, i + 1);
    if (c < 0x20) return undefined;
    if (c !== 0x5c) continue;
    ESCAPE.lastIndex = i;
    const escaped = ESCAPE.exec(text);
    if (escaped === null) return undefined;
    i += escaped[0].length - 1;
  }
  return undefined;
}

function after(expected: Expected, token: string, open: ("{" | "[")[]): Expected | undefined {
  const closed = (): Expected => (open.length === 0 ? "end" : "comma or end");
  switch (expected) {
    case "end":
      return undefined;
    case "colon":
      return token === ":" ? "value" : undefined;
    case "name or }":
    case "name":
      if (token[0] === '"') return "colon";
      if (token !== "}" || expected === "name") return undefined;
      open.pop();
      return closed();
    case "comma or end":
      if (token === ",") return open.at(-1) === "{" ? "name" : "value";
      if (token !== (open.at(-1) === "{" ? "}" : "]")) return undefined;
      open.pop();
      return closed();
    default:
      if (token === "]" && expected === "value or ]") {
        open.pop();
        return closed();
      }
      if (token === "{" || token === "[") {
        open.push(token);
        return token === "{" ? "name or }" : "value or ]";
      }
      return "}],:".includes(token) ? undefined : closed();
  }
}

function describe(text: string, at: number, token: string | undefined): string {
  if (token !== undefined) return token.length > 40 ? `${token.slice(0, 40)}…` : token;
  if (text[at] === '"') return "string that is not closed, or has a control character or a wrong escape in it";
  return JSON.stringify(String.fromCodePoint(text.codePointAt(at) as number));
}
