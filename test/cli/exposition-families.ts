/** The metrics of an exposition, as families, read by Tocsin's own parser. */
import type { Labels } from "../../src/model/labels.ts";
import { parseExposition } from "../../src/streams/codec/exposition.ts";
import { expositionLabels } from "../../src/streams/codec/exposition-labels.ts";

export interface Family {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: { readonly name: string; readonly labels: Labels; readonly value: number }[];
}

/** Throws for what breaks the format, a sample without a family before it, and a family or series that is there twice. */
export function familiesOf(text: string): Family[] {
  const families: { name: string; type: string; help: string; samples: Family["samples"] }[] = [];
  const bytes = new TextEncoder().encode(text);
  const seen = new Set<string>();
  const start = (name: string) => {
    const last = families.at(-1);
    if (last?.name === name) return last;
    if (families.some((f) => f.name === name)) throw new Error(`${name} is there twice`);
    const made = { name, type: "", help: "", samples: [] };
    families.push(made);
    return made;
  };
  parseExposition(bytes, {
    help: (name, help) => {
      start(name).help = help;
    },
    type: (name, type) => {
      start(name).type = type;
    },
    sample: (from, to, value, timestamp, line) => {
      const labels = expositionLabels(bytes, from, to);
      if (!isLabels(labels)) throw new Error(`line ${line}: label ${labels.duplicate} is there twice`);
      const name = labels[labels.indexOf("__name__") + 1] as string;
      const family = families.at(-1);
      const suffixes =
        family?.type === "histogram" || family?.type === "summary" ? ["", "_bucket", "_sum", "_count"] : [""];
      if (family === undefined || !suffixes.some((s) => family.name + s === name)) {
        throw new Error(`line ${line}: ${name} stands outside of its family`);
      }
      const key = JSON.stringify(labels);
      if (seen.has(key)) throw new Error(`line ${line}: ${key} is there twice`);
      seen.add(key);
      if (!Number.isNaN(timestamp)) throw new Error(`line ${line}: own metrics have no timestamps`);
      family.samples.push({ name, labels, value });
    },
  });
  return families;
}

function isLabels(labels: ReturnType<typeof expositionLabels>): labels is Labels {
  return Array.isArray(labels);
}
