import { asBuffer } from "../../lib/utf8.ts";
import { type Labels, METRIC_NAME } from "../../model/labels.ts";

/**
 * The labels of a series text that `parseExposition` reported, as written: pairs in the order of the text with the
 * metric name first, empty values and repeated names kept. Flat: [name0, value0, ...].
 */
export function expositionPairs(bytes: Uint8Array, start: number, end: number): string[] {
  const buffer = asBuffer(bytes);
  const pairs: string[] = [];
  let i = start;
  while (i < end && bytes[i] !== 123 && !isBlank(bytes[i] as number)) i++;
  if (i > start) pairs.push(METRIC_NAME, buffer.toString("latin1", start, i));
  while (i < end && bytes[i] !== 123) i++;
  i++;
  while (i < end && bytes[i] !== 125) {
    const c = bytes[i] as number;
    if (isBlank(c) || c === 44) {
      i++;
      continue;
    }
    let name: string;
    if (c === 34) {
      const close = closingQuote(bytes, i);
      name = unescapeText(buffer.toString("utf8", i + 1, close), true);
      i = close + 1;
    } else {
      const from = i;
      while (bytes[i] !== 61 && !isBlank(bytes[i] as number)) i++;
      name = buffer.toString("latin1", from, i);
    }
    while (isBlank(bytes[i] as number)) i++;
    if (bytes[i] !== 61) {
      // A quoted string without a value is the metric's name.
      pairs.unshift(METRIC_NAME, name);
      continue;
    }
    i++;
    while (isBlank(bytes[i] as number)) i++;
    const close = closingQuote(bytes, i);
    pairs.push(name, unescapeText(buffer.toString("utf8", i + 1, close), true));
    i = close + 1;
  }
  return pairs;
}

/**
 * The label set of a series text that `parseExposition` reported: sorted, empty values dropped.
 * Returns the repeated name instead when a label name stands twice.
 */
export function expositionLabels(
  bytes: Uint8Array,
  start: number,
  end: number,
): Labels | { readonly duplicate: string } {
  const pairs = expositionPairs(bytes, start, end);
  const order: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) order.push(i);
  order.sort((a, b) => ((pairs[a] as string) < (pairs[b] as string) ? -1 : pairs[a] === pairs[b] ? 0 : 1));
  const labels: string[] = [];
  let last = "";
  for (const i of order) {
    const name = pairs[i] as string;
    if (name === last) return { duplicate: name };
    last = name;
    if (pairs[i + 1] !== "") labels.push(name, pairs[i + 1] as string);
  }
  return labels;
}

/** Resolves `\\`, `\n` and, inside quotes, `\"`; a backslash before anything else stands for itself. */
export function unescapeText(text: string, quoted: boolean): string {
  if (!text.includes("\\")) return text;
  return text.replace(quoted ? /\\([\\n"])/g : /\\([\\n])/g, (_, c: string) => (c === "n" ? "\n" : c));
}

function isBlank(c: number): boolean {
  return c === 32 || c === 9;
}

function closingQuote(bytes: Uint8Array, open: number): number {
  let i = open + 1;
  while (bytes[i] !== 34) i += bytes[i] === 92 ? 2 : 1;
  return i;
}
