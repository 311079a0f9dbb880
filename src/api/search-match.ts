/** How well a name or value fits what somebody types: 0 for not at all, up to 1. Pure functions over texts. */

export const FUZZ_ALGORITHMS = ["subsequence", "jarowinkler"] as const;
export type FuzzAlgorithm = (typeof FUZZ_ALGORITHMS)[number];

export interface SearchTerms {
  /** One of them has to fit; with none everything does. */
  readonly terms: readonly string[];
  readonly algorithm: FuzzAlgorithm;
  /** From 0 to 1: what fits less well does not fit. */
  readonly threshold: number;
  readonly caseSensitive: boolean;
}

/** A function that gives a text's score, undefined where it does not fit. */
export function scorer({ terms, algorithm, threshold, caseSensitive }: SearchTerms) {
  const fold = caseSensitive ? (text: string) => text : (text: string) => text.toLowerCase();
  const wanted = terms.map(fold);
  const one = (text: string, term: string): number => {
    if (text.startsWith(term)) return 1;
    if (algorithm === "subsequence") return above(subsequence(text, term), threshold);
    if (text.includes(term)) return 0.9;
    return threshold > 0 ? above(jaroWinkler(text, term), threshold) : 0;
  };
  return (text: string): number | undefined => {
    if (wanted.length === 0) return 1;
    const folded = fold(text);
    const best = Math.max(...wanted.map((term) => one(folded, term)));
    return best > 0 ? best : undefined;
  };
}

const above = (score: number, threshold: number) => (score >= threshold ? score : 0);

/** More starts than this are not tried: a value may be long. */
const MAX_STARTS = 64;

/**
 * Whether all characters of the term are in the text in their order: long runs count more than single characters (by the
 * square of their length), and gaps a little less.
 */
function subsequence(text: string, term: string): number {
  let best = 0;
  let from = text.indexOf(term[0] as string);
  for (let tries = 0; from >= 0 && tries < MAX_STARTS; tries++) {
    const score = fromStart(text, term, from);
    if (score === undefined) break;
    best = Math.max(best, score);
    from = text.indexOf(term[0] as string, from + 1);
  }
  return best;
}

/** undefined when the term does not fit into what begins here, and so into nothing that begins later. */
function fromStart(text: string, term: string, from: number): number | undefined {
  let squares = 0;
  let skipped = from;
  let run = 0;
  let at = from;
  for (let i = 0; i < term.length; i++) {
    const found = text.indexOf(term[i] as string, at);
    if (found < 0) return undefined;
    if (found > at) {
      squares += run * run;
      run = 0;
      skipped += found - at;
    }
    run++;
    at = found + 1;
  }
  squares += run * run;
  const gaps = skipped / text.length;
  return Math.min(1, Math.max(Number.MIN_VALUE, (squares - gaps) / (term.length * term.length)));
}

const PREFIX_WEIGHT = 0.1;
const MAX_PREFIX = 4;

/** The similarity of Jaro and Winkler, from 0 to 1. */
export function jaroWinkler(a: string, b: string): number {
  if (a === b) return 1;
  if (a === "" || b === "") return 0;
  const reach = Math.max(0, (Math.max(a.length, b.length) >> 1) - 1);
  const taken = new Uint8Array(b.length);
  const matched: number[] = [];
  for (let i = 0; i < a.length; i++) {
    const to = Math.min(b.length - 1, i + reach);
    for (let j = Math.max(0, i - reach); j <= to; j++) {
      if (taken[j] === 1 || a[i] !== b[j]) continue;
      taken[j] = 1;
      matched.push(i);
      break;
    }
  }
  const m = matched.length;
  if (m === 0) return 0;
  let swapped = 0;
  let k = 0;
  for (let j = 0; j < b.length; j++) if (taken[j] === 1 && a[matched[k++] as number] !== b[j]) swapped++;
  const jaro = (m / a.length + m / b.length + (m - swapped / 2) / m) / 3;
  let prefix = 0;
  while (prefix < Math.min(MAX_PREFIX, a.length, b.length) && a[prefix] === b[prefix]) prefix++;
  return jaro + prefix * PREFIX_WEIGHT * (1 - jaro);
}
