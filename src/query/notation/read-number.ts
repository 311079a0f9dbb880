/** A number as scripts write them: `1`, `-0.5e3`, `1_000`, `+Inf`, `NaN`; NaN for what is none. */
export function readNumber(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const body = text.replace(/^[+-]/, "").replaceAll("_", "").toLowerCase();
  if (body === "inf") return sign * Number.POSITIVE_INFINITY;
  if (body === "nan") return Number.NaN;
  return sign * Number(body);
}
