import type { Labels } from "../../model/labels.ts";
import { type CompiledSilence, compileSilences, type Silence, type SilenceTable } from "./silence.core.ts";

/**
 * Which silences match an alert, whatever the time; asked for at every flush and listing.
 *
 * Invariants:
 * - An alert is looked at once for each silence that could match it; after a change, for the silences that have changed alone.
 * - Silences with an equality are found by its label's value, so that an alert does not meet the silences of others.
 */
export interface SilenceIndex {
  /** All of them, compiled. */
  readonly compiled: () => readonly CompiledSilence[];
  /** In the order of the table. */
  matching(labels: Labels): readonly Silence[];
  /** Takes in that the table is another one now. */
  take(next: SilenceTable): void;
}

interface Known {
  readonly version: number;
  readonly silences: readonly Silence[];
}

/** A change of more than so many, or as many changes since an alert was looked at: it is looked at anew. */
const MANY = 64;
/** Then it begins anew, so that what is remembered of changes does not grow for ever. */
const MOST_VERSIONS = 10_000;

export function makeSilenceIndex(): SilenceIndex {
  let byId = new Map<string, Entry>();
  let found: Finder = makeFinder([]);
  let known = new WeakMap<Labels, Known>();
  /** Ids of the silences that each version has made, changed or dropped. */
  const changes: (readonly string[])[] = [];
  let order = 0;

  const inOrder = (entries: Iterable<Entry>): Silence[] =>
    [...entries].sort((a, b) => a.order - b.order).map((e) => e.compiled.silence);
  const update = (labels: Labels, old: Known): readonly Silence[] => {
    const ids = new Set(changes.slice(old.version).flat());
    const stays = old.silences.filter((s) => !ids.has(s.id)).map((s) => byId.get(s.id) as Entry);
    for (const id of ids) {
      const entry = byId.get(id);
      if (entry?.compiled.matches(labels)) stays.push(entry);
    }
    return inOrder(stays);
  };

  return {
    compiled: () => Array.from(byId.values(), (e) => e.compiled),
    matching: (labels) => {
      const old = known.get(labels);
      const version = changes.length;
      if (old?.version === version) return old.silences;
      const near = old !== undefined && version - old.version <= MANY;
      const silences = near ? update(labels, old) : inOrder(found(labels));
      known.set(labels, { version, silences: silences.length === 0 ? NONE : silences });
      return silences;
    },
    take: (next) => {
      const before = byId;
      const changed: string[] = [];
      byId = new Map();
      for (const [id, silence] of next) {
        const old = before.get(id);
        if (old?.compiled.silence === silence) {
          byId.set(id, old);
          continue;
        }
        changed.push(id);
        const [compiled] = compileSilences(new Map([[id, silence]]));
        byId.set(id, { compiled: compiled as CompiledSilence, order: old?.order ?? order++ });
      }
      for (const id of before.keys()) if (!next.has(id)) changed.push(id);
      found = makeFinder([...byId.values()]);
      if (changed.length <= MANY && changes.length < MOST_VERSIONS) {
        changes.push(changed);
        return;
      }
      changes.length = 0;
      known = new WeakMap();
    },
  };
}

interface Entry {
  readonly compiled: CompiledSilence;
  readonly order: number;
}

const NONE: readonly Silence[] = [];

type Finder = (labels: Labels) => Entry[];

function makeFinder(entries: readonly Entry[]): Finder {
  const byLabel = new Map<string, Map<string, Entry[]>>();
  const others: Entry[] = [];
  for (const entry of entries) {
    const equal = entry.compiled.silence.matchers.find((m) => m.op === "=" && m.value !== "");
    if (equal === undefined) {
      others.push(entry);
      continue;
    }
    let values = byLabel.get(equal.name);
    if (values === undefined) {
      values = new Map();
      byLabel.set(equal.name, values);
    }
    const same = values.get(equal.value);
    if (same === undefined) values.set(equal.value, [entry]);
    else same.push(entry);
  }
  return (labels) => {
    const out = others.filter((e) => e.compiled.matches(labels));
    for (let i = 0; i < labels.length; i += 2) {
      for (const entry of byLabel.get(labels[i] as string)?.get(labels[i + 1] as string) ?? []) {
        if (entry.compiled.matches(labels)) out.push(entry);
      }
    }
    return out;
  };
}
