/**
 * Label sets as the query, rule and API layers see them. The per-sample path never touches these: there a series is a
 * 64-bit hash (see docs/format/frame.md) and inside a shard an integer id.
 *
 * Invariants of a `Labels` value:
 * - flat: [name0, value0, name1, value1, ...];
 * - names strictly ascending in UTF-16 code unit order (equal to byte order outside of surrogates), no name twice;
 * - no empty values (an empty value is the same as no label).
 */
export type Labels = readonly string[];

export const METRIC_NAME = "__name__";
export const EMPTY_LABELS: Labels = [];

/** Builds a label set from pairs in any order; drops empty values; of a repeated name the last one wins. */
export function labelsFromEntries(entries: Iterable<readonly [string, string]>): Labels {
  const byName = new Map<string, string>();
  for (const [name, value] of entries) byName.set(name, value);
  const names = [...byName.keys()].filter((n) => byName.get(n) !== "").sort();
  const out: string[] = [];
  for (const n of names) out.push(n, byName.get(n) as string);
  return out;
}

export function labelsFromObject(object: Readonly<Record<string, string>>): Labels {
  return labelsFromEntries(Object.entries(object));
}

export function labelsToObject(labels: Labels): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  for (let i = 0; i < labels.length; i += 2) out[labels[i] as string] = labels[i + 1] as string;
  return out;
}

/** The value of a label, "" when absent. */
export function labelValue(labels: Labels, name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1] as string;
  return "";
}

/** A string that is equal exactly when the label sets are equal; for Map keys. */
export function labelsKey(labels: Labels): string {
  return labels.join("\u0000");
}

/** Only the named labels, in label order (`by (...)`). */
export function labelsOnly(labels: Labels, names: ReadonlySet<string>): Labels {
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (names.has(labels[i] as string)) out.push(labels[i] as string, labels[i + 1] as string);
  }
  return out;
}

/** All but the named labels (`without (...)`; the caller adds `__name__` where the rule asks for it). */
export function labelsWithout(labels: Labels, names: ReadonlySet<string>): Labels {
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (!names.has(labels[i] as string)) out.push(labels[i] as string, labels[i + 1] as string);
  }
  return out;
}

/** The label set with one label set, replaced or (value "") removed. */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  const out: string[] = [];
  let placed = value === "";
  for (let i = 0; i < labels.length; i += 2) {
    const n = labels[i] as string;
    if (n === name) continue;
    if (!placed && n > name) {
      out.push(name, value);
      placed = true;
    }
    out.push(n, labels[i + 1] as string);
  }
  if (!placed) out.push(name, value);
  return out;
}

/** Order of Prometheus's labels.Compare: pair by pair, then the shorter set first. */
export function compareLabels(a: Labels, b: Labels): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    const x = a[i] as string;
    const y = b[i] as string;
    if (x !== y) return x < y ? -1 : 1;
  }
  return a.length - b.length;
}

/** `{a="b", c="d"}` or `name{a="b"}`, as Prometheus prints a metric. */
export function formatLabels(labels: Labels): string {
  const name = labelValue(labels, METRIC_NAME);
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] !== METRIC_NAME) pairs.push(`${labels[i]}=${JSON.stringify(labels[i + 1])}`);
  }
  return pairs.length === 0 && name !== "" ? name : `${name}{${pairs.join(", ")}}`;
}
