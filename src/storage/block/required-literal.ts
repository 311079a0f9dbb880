/** What every match of a pattern contains, for passing over values that have it not. */
import { parseSimpleRegex } from "../../lib/regex-syntax.ts";

/** Of one character there is one in too many values. */
const SHORTEST = 2;

/**
 * The longest text of two characters or more that is certain to be in every string that the pattern matches, what the match begins
 * with left out (values in order are narrowed by that already); "" when nothing is known.
 */
export function requiredLiteral(pattern: string): string {
  const parsed = parseSimpleRegex(pattern);
  if (parsed === undefined || parsed.ignoreCase || parsed.root.kind !== "sequence") return "";
  let longest = "";
  for (const part of parsed.root.parts.slice(1)) {
    if (part.kind === "literal" && part.text.length > longest.length) longest = part.text;
  }
  return longest.length < SHORTEST ? "" : longest;
}
