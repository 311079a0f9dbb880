/**
 * Floats as Go prints them, always with the fewest digits that read back to the same value (which is what JavaScript's
 * own conversion finds too: only the layout differs).
 */

/** strconv.FormatFloat(v, 'f', -1, 64): never an exponent. Number literals in PromQL, `le` and quantile labels. */
export function formatFloat(v: number): string {
  const special = formatSpecial(v);
  if (special !== undefined) return special;
  const text = Object.is(v, -0) ? "-0" : String(v);
  return text.includes("e") ? withoutExponent(text) : text;
}

/** As Prometheus's HTTP API writes sample values: an exponent below 1e-6 and from 1e21 on. */
export function formatSampleValue(v: number): string {
  const abs = Math.abs(v);
  if (abs !== 0 && (abs < 1e-6 || abs >= 1e21)) return formatSpecial(v) ?? withExponent(v);
  return formatFloat(v);
}

/** `%v` and strconv's 'g' with shortest digits: an exponent below 1e-4 and from 1e6 on. */
export function formatFloatG(v: number): string {
  const special = formatSpecial(v);
  if (special !== undefined) return special;
  if (v === 0) return formatFloat(v);
  const exponent = Number(withExponent(v).split("e")[1]);
  return exponent < -4 || exponent >= 6 ? withExponent(v) : formatFloat(v);
}

/** strconv.FormatFloat(v, 'f', digits, 64): but an exact tie (2.25 to one digit) is rounded up, not to even. */
export function formatFixed(v: number, digits: number): string {
  const special = formatSpecial(v);
  if (special !== undefined) return special;
  if (Math.abs(v) < 1e21) return Object.is(v, -0) ? `-${(0).toFixed(digits)}` : v.toFixed(digits);
  return digits === 0 ? BigInt(v).toString() : `${BigInt(v)}.${"0".repeat(digits)}`;
}

function formatSpecial(v: number): string | undefined {
  if (Number.isFinite(v)) return undefined;
  if (Number.isNaN(v)) return "NaN";
  return v > 0 ? "+Inf" : "-Inf";
}

/** `d.ddde±xx` with at least two digits in the exponent. */
function withExponent(v: number): string {
  const [digits, exponent] = v.toExponential().split("e") as [string, string];
  return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
}

function withoutExponent(text: string): string {
  const [mantissa, exponent] = text.split("e") as [string, string];
  const sign = mantissa.startsWith("-") ? "-" : "";
  const [whole, fraction = ""] = mantissa.slice(sign.length).split(".") as [string, string?];
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + "0".repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
