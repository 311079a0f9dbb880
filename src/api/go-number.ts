/** Numbers in parameters as Go's strconv reads them, so that what one server takes the other takes too. */

const DIGITS = "\\d(?:_?\\d)*";
const FLOAT = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, "i");
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** A float in Go's syntax; undefined where the text is none. Infinities count, NaN does not: no parameter has a use for it. */
export function parseGoFloat(text: string): number | undefined {
  if (FLOAT.test(text)) return Number(text.replaceAll("_", ""));
  const infinite = INFINITE.exec(text);
  if (infinite === null) return undefined;
  return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** An integer, or what Go says of the text: `strconv.Atoi: parsing "x": invalid syntax`. */
export function parseGoInt(text: string, func: "Atoi" | "ParseInt"): number | string {
  if (!/^[+-]?\d+$/.test(text)) return `strconv.${func}: parsing ${JSON.stringify(text)}: invalid syntax`;
  const value = BigInt(text.replace("+", ""));
  if (value !== BigInt.asIntN(64, value)) return `strconv.${func}: parsing ${JSON.stringify(text)}: value out of range`;
  return Number(value);
}

const TRUE = ["1", "t", "T", "TRUE", "true", "True"];
const FALSE = ["0", "f", "F", "FALSE", "false", "False"];

/** A boolean in one of Go's spellings; undefined where the text is none. */
export function parseGoBool(text: string): boolean | undefined {
  if (TRUE.includes(text)) return true;
  return FALSE.includes(text) ? false : undefined;
}
