/** The groups of a match. */
export interface Groups {
  /** 0 is the whole match; "" for a group that does not exist or took no part. */
  number(index: number): string;
  name(name: string): string;
}

/** Fills in the groups. */
export type Template = (groups: Groups) => string;

type Part = { readonly text: string } | { readonly index: number } | { readonly name: string };

/**
 * A text with `$1`, `${1}`, `$name` or `${name}` for groups and `$$` for a dollar sign, as Go's regexp.Expand reads it: a
 * bare name is as long as letters, digits and underscores go (`$1x` is the group "1x"), and a `$` that starts nothing
 * stands for itself.
 */
export function compileTemplate(text: string): Template {
  const parts = parseTemplate(text);
  const only = parts[0];
  if (parts.length === 0) return () => "";
  if (parts.length === 1 && only !== undefined && "text" in only) return () => only.text;
  return (groups) => {
    let out = "";
    for (const part of parts) {
      if ("text" in part) out += part.text;
      else out += "index" in part ? groups.number(part.index) : groups.name(part.name);
    }
    return out;
  };
}

function parseTemplate(text: string): Part[] {
  const parts: Part[] = [];
  let literal = "";
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf("$", at);
    if (dollar < 0) break;
    literal += text.slice(at, dollar);
    const m = /^(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/u.exec(text.slice(dollar + 1));
    if (m === null || m[0] === "$") {
      literal += "$";
      at = dollar + 1 + (m?.[0].length ?? 0);
      continue;
    }
    if (literal !== "") parts.push({ text: literal });
    literal = "";
    const name = m[1] ?? (m[2] as string);
    parts.push(/^(0|[1-9]\d{0,7})$/.test(name) ? { index: Number(name) } : { name });
    at = dollar + 1 + m[0].length;
  }
  literal += text.slice(at);
  if (literal !== "") parts.push({ text: literal });
  return parts;
}
