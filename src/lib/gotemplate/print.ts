import { formatFloatG } from "../float-format.ts";
import { goQuote } from "../go-quote.ts";
import { isObject, methodOf, plainOf, TYPE, type Value } from "./value.ts";

/** A value as Go's `%v` prints it. */
export function printValue(v: Value): string {
  if (v === null || v === undefined) return "<nil>";
  if (typeof v === "string") return v;
  if (typeof v === "number") return formatFloatG(v);
  if (typeof v === "bigint" || typeof v === "boolean") return String(v);
  if (typeof v === "function") return "<func>";
  const text = methodOf(v, "String");
  if (text !== undefined) return String(text());
  if (Array.isArray(v)) return `[${v.map(printValue).join(" ")}]`;
  if (v instanceof Map) {
    const keys = [...v.keys()].sort();
    return `map[${keys.map((k) => `${k}:${printValue(v.get(k) ?? null)}`).join(" ")}]`;
  }
  const own = (v as { toText?: () => string }).toText;
  if (own !== undefined) return own();
  const fields = Object.values(v).filter((x) => typeof x !== "function");
  return `{${fields.map((x) => printValue(x as Value)).join(" ")}}`;
}

/** fmt.Sprint: a space between operands when neither is a string. */
export function sprint(args: readonly Value[]): string {
  let out = "";
  for (const [i, arg] of args.entries()) {
    if (i > 0 && typeof arg !== "string" && typeof args[i - 1] !== "string") out += " ";
    out += printValue(arg);
  }
  return out;
}

/** fmt.Sprintf. Mistakes show in the output as Go writes them: `%!d(string=x)`, `%!d(MISSING)`. */
export function sprintf(format: string, args: readonly Value[]): string {
  let next = 0;
  let reordered = false;
  const out = format.replace(
    /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?(?:\[(\d+)\])?([\s\S]|$)/gu,
    (_, flags: string, width: string | undefined, precision: string | undefined, place: string, verb: string) => {
      if (verb === "%") return "%";
      if (verb === "") return "%!(NOVERB)";
      const star = (text: string | undefined) => (text === "*" ? Number(args[next++] ?? 0) : text);
      const wide = Number(star(width) ?? 0);
      const fine = star(precision);
      if (place !== undefined) {
        reordered = true;
        next = Number(place) - 1;
        if (next < 0 || next >= args.length) return `%!${verb}(BADINDEX)`;
      }
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const digits = fine === undefined ? undefined : Number(fine);
      return pad(formatVerb(verb, flags, digits, args[next++] as Value), flags, wide);
    },
  );
  if (next >= args.length || reordered) return out;
  return `${out}%!(EXTRA ${args
    .slice(next)
    .map((a) => `${typeName(a)}=${printValue(a)}`)
    .join(", ")})`;
}

function formatVerb(verb: string, flags: string, digits: number | undefined, value: Value): string {
  if (verb === "T") return typeName(value);
  if (Array.isArray(value) && !"vs".includes(verb))
    return `[${value.map((item: Value) => formatVerb(verb, flags, digits, item)).join(" ")}]`;
  const text = verb === "q" && (isObject(value) || methodOf(value, "String") !== undefined) ? printValue(value) : value;
  const v = "vsq".includes(verb) ? text : plainOf(text);
  const bad = () => `%!${verb}(${v === null ? "<nil>" : `${typeName(v)}=${printValue(v)}`})`;
  const signed = (text: string, negative: boolean) =>
    negative ? text : flags.includes("+") ? `+${text}` : flags.includes(" ") ? ` ${text}` : text;
  switch (verb) {
    case "v":
    case "s":
      if (verb === "s" && (typeof v === "number" || typeof v === "bigint" || typeof v === "boolean" || v === null))
        return bad();
      if (verb === "v" && typeof v === "string" && flags.includes("#")) return goQuote(v);
      if (verb === "v" && typeof v === "number" && digits !== undefined) return signed(floatG(v, digits), v < 0);
      return digits === undefined ? printValue(v) : [...printValue(v)].slice(0, digits).join("");
    case "q":
      if (typeof v === "string") return goQuote(v);
      return typeof v === "bigint" ? `'${String.fromCodePoint(Number(v))}'` : bad();
    case "t":
      return typeof v === "boolean" ? String(v) : bad();
    case "d":
      return typeof v === "bigint" ? signed(String(v), v < 0n) : bad();
    case "b":
    case "o":
      return typeof v === "bigint" ? signed(v.toString(verb === "b" ? 2 : 8), v < 0n) : bad();
    case "x":
    case "X": {
      const hex =
        typeof v === "bigint" ? v.toString(16) : typeof v === "string" ? Buffer.from(v).toString("hex") : undefined;
      if (hex === undefined) return bad();
      const spaced = typeof v === "string" && flags.includes(" ") ? hex.replace(/..(?=.)/g, "$& ") : hex;
      const shown = (flags.includes("#") ? "0x" : "") + spaced;
      return verb === "X" ? shown.toUpperCase() : shown;
    }
    case "c":
      return typeof v === "bigint" ? String.fromCodePoint(Number(v)) : bad();
    case "U":
      return typeof v === "bigint" ? `U+${v.toString(16).toUpperCase().padStart(4, "0")}` : bad();
    case "e":
    case "E":
    case "f":
    case "F":
    case "g":
    case "G":
      return typeof v === "number" ? signed(formatFloat(verb, digits, v), v < 0 || Object.is(v, -0)) : bad();
    default:
      return bad();
  }
}

function formatFloat(verb: string, digits: number | undefined, v: number): string {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
  switch (verb.toLowerCase()) {
    case "e": {
      const text = exponent(toExponential(v, Math.min(100, digits ?? 6)));
      return verb === "E" ? text.toUpperCase() : text;
    }
    case "f": {
      const fine = Math.min(100, digits ?? 6);
      if (Math.abs(v) >= 1e21) return BigInt(v).toString() + (fine > 0 ? `.${"0".repeat(fine)}` : "");
      return Object.is(v, -0) ? `-${(0).toFixed(fine)}` : toFixed(v, fine);
    }
    default: {
      const text = digits === undefined ? formatFloatG(v) : floatG(v, digits);
      return verb === "G" ? text.toUpperCase() : text;
    }
  }
}

/** `%.<digits>g`: significant digits, without trailing zeros. */
function floatG(v: number, digits: number): string {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
  const significant = Math.min(100, Math.max(1, digits));
  if (v === 0) return Object.is(v, -0) ? "-0" : "0";
  const scientific = toExponential(v, significant - 1);
  const e = Number(scientific.split("e")[1]);
  if (e < -4 || e >= significant) {
    const [mantissa, power] = scientific.split("e") as [string, string];
    return exponent(`${trimZeros(mantissa)}e${power}`);
  }
  return trimZeros(toFixed(v, Math.max(0, significant - 1 - e)));
}

/** Number.toFixed, but a tie goes to the even digit, as in Go. For |v| < 1e21. */
function toFixed(v: number, digits: number): string {
  const rounded = v.toFixed(digits);
  const exact = v.toFixed(100);
  const cut = exact.length - 100 + digits;
  if (!isTie(exact, cut)) return rounded;
  const down = exact.slice(0, digits === 0 ? cut - 1 : cut);
  return isEven(down) ? down : rounded;
}

/** Number.toExponential, but a tie goes to the even digit. */
function toExponential(v: number, digits: number): string {
  const rounded = v.toExponential(digits);
  const [exact, power] = v.toExponential(100).split("e") as [string, string];
  const cut = exact.length - 100 + digits;
  if (!isTie(exact, cut)) return rounded;
  const down = exact.slice(0, digits === 0 ? cut - 1 : cut);
  return isEven(down) ? `${down}e${power}` : rounded;
}

function isTie(exact: string, cut: number): boolean {
  return /^50*$/.test(exact.slice(cut));
}

function isEven(digits: string): boolean {
  return Number(digits.at(-1)) % 2 === 0;
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** At least two digits in the exponent. */
function exponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

function pad(text: string, flags: string, width: number): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes("-")) return text + " ".repeat(missing);
  if (!flags.includes("0")) return " ".repeat(missing) + text;
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
}

function typeName(v: Value): string {
  if (v === null || v === undefined) return "<nil>";
  if (typeof v === "bigint") return "int";
  if (typeof v === "number") return "float64";
  if (typeof v === "boolean") return "bool";
  if (Array.isArray(v)) return "[]interface {}";
  const own = isObject(v) ? (v as { [TYPE]?: string })[TYPE] : undefined;
  if (own !== undefined) return own;
  return v instanceof Map ? "map[string]interface {}" : typeof v;
}
