/**
 * Metric and label names that are not [a-zA-Z_:][a-zA-Z0-9_:]*, in forms that older readers take: Prometheus's escaping
 * schemes (prometheus/docs, "UTF-8 in Prometheus: escaping schemes").
 */
export const ESCAPINGS = ["allow-utf-8", "underscores", "dots", "values"] as const;
export type Escaping = (typeof ESCAPINGS)[number];

const LEGACY = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** True for a name that needs no escaping and no quotes in the text format. */
export function isLegacyName(name: string): boolean {
  return LEGACY.test(name);
}

/** The name in the scheme's form. */
export function escapeName(name: string, scheme: Escaping): string {
  if (name === "" || scheme === "allow-utf-8" || isLegacyName(name)) return name;
  if (scheme === "dots") return dots(name);
  const characters = Array.from(name.toWellFormed());
  if (scheme === "underscores") return characters.map((c, i) => (isLegacyAt(c, i) ? c : "_")).join("");
  const escaped = characters.map((c, i) => (c === "_" ? "__" : isLegacyAt(c, i) ? c : `_${hexOf(c)}_`));
  return `U__${escaped.join("")}`;
}

/** Dots can be told from underscores. */
function dots(name: string): string {
  return Array.from(name.toWellFormed(), (c, i) => {
    if (c === "_") return "__";
    if (c === ".") return "_dot_";
    return isLegacyAt(c, i) ? c : "__";
  }).join("");
}

function isLegacyAt(character: string, i: number): boolean {
  return /^[a-zA-Z_:]$/.test(character) || (i > 0 && /^[0-9]$/.test(character));
}

function hexOf(character: string): string {
  return (character.codePointAt(0) as number).toString(16);
}

const ESCAPED = /^(?:[^_]|__|_[0-9a-f]{1,5}_)*$/i;

/**
 * Undoes the scheme "values", as names stand in paths: `U__`, then `__` for an underscore and `_hex_` for each odd character.
 * What is not escaped so, or names no character, is a name as it stands.
 */
export function unescapeName(name: string): string {
  if (!name.startsWith("U__")) return name;
  const escaped = name.slice(3);
  if (!ESCAPED.test(escaped)) return name;
  const text = escaped.replaceAll(/__|_([0-9a-f]{1,5})_/gi, (_, hex: string | undefined) =>
    hex === undefined ? "_" : String.fromCodePoint(Number.parseInt(hex, 16)),
  );
  return text.isWellFormed() ? text : name;
}
