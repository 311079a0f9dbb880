import { RE2JS } from "re2js";
import { isValidUtf8 } from "../../lib/go-quote.ts";
import { type Labels, labelValue, METRIC_NAME, withLabel } from "../../model/labels.ts";
import { QueryError } from "../../model/query.ts";
import { SET_BYTES } from "../execute/memory.ts";
import { overEach, type Pace, ROW_WORK } from "../execute/pace.ts";
import { mergeEqualRows, SAME_LABELSET, type Vector } from "../execute/vector.ts";

/**
 * label_replace and label_join: new label sets for the rows, values untouched. `took` hears of the bytes that new sets and texts
 * take, before or as soon as they are there; it throws when there are too many: texts put together again and again grow fast.
 */
type Took = (bytes: number) => void;

const uncounted: Took = () => undefined;

function checkLabelName(name: string, what: string, func: string): void {
  if (name !== "" && isValidUtf8(name)) return;
  throw new QueryError("execution", `invalid ${what} label name in ${func}(): ${name}`);
}

/** The vector with the labels that `relabel` gives each row; it may change the copy of `dropName`. */
async function relabeled(
  pace: Pace,
  vector: Vector,
  relabel: (set: Labels, row: number, dropName: Uint8Array) => Labels,
): Promise<Vector> {
  const dropName = vector.dropName.slice();
  const labels: Labels[] = new Array(vector.labels.length);
  await overEach(pace, labels.length, 4 * ROW_WORK, (r) => {
    labels[r] = relabel(vector.labels[r] as Labels, r, dropName);
  });
  const merged = await mergeEqualRows(pace, { ...vector, labels, dropName });
  if (merged === undefined) throw new QueryError("execution", SAME_LABELSET);
  return merged;
}

export async function labelReplace(
  pace: Pace,
  vector: Vector,
  dst: string,
  template: string,
  src: string,
  pattern: string,
  took: Took = uncounted,
): Promise<Vector> {
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(`^(?s:${pattern})$`);
  } catch {
    throw new QueryError("execution", `invalid regular expression in label_replace(): ${pattern}`);
  }
  checkLabelName(dst, "destination", "label_replace");
  const replacements = new Map<string, string | undefined>();
  return relabeled(pace, vector, (set, r, dropName) => {
    const value = labelValue(set, src);
    let replacement = replacements.get(value);
    if (replacement === undefined && !replacements.has(value)) {
      replacement = expand(regex, template, value);
      took(replacement?.length ?? 0);
      replacements.set(value, replacement);
    }
    if (replacement === undefined) return set;
    if (dst === METRIC_NAME) dropName[r] = 0;
    took(SET_BYTES + 12 * set.length);
    return withLabel(set, dst, replacement);
  });
}

const REFERENCE = /\$(?:\$|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))/g;

/** The template with $1, ${1}, $name replaced by what the groups matched (nothing when unknown); undefined: no match. */
function expand(regex: RE2JS, template: string, value: string): string | undefined {
  const matcher = regex.matcher(value);
  if (!matcher.find()) return undefined;
  return template.replace(REFERENCE, (all, braced: string | undefined, plain: string | undefined) => {
    if (all === "$$") return "$";
    const name = braced ?? plain ?? "";
    if (/^\d+$/.test(name)) {
      const n = Number(name);
      return n <= matcher.groupCount() ? (matcher.group(n) ?? "") : "";
    }
    return name in regex.namedGroups() ? (matcher.group(name) ?? "") : "";
  });
}

export async function labelJoin(
  pace: Pace,
  vector: Vector,
  dst: string,
  separator: string,
  sources: readonly string[],
  took: Took = uncounted,
): Promise<Vector> {
  for (const src of sources) checkLabelName(src, "source", "label_join");
  checkLabelName(dst, "destination", "label_join");
  return relabeled(pace, vector, (set, r, dropName) => {
    if (dst === METRIC_NAME) dropName[r] = 0;
    const values = sources.map((src) => labelValue(set, src));
    const length = values.reduce((sum, value) => sum + value.length + separator.length, 0);
    took(length + SET_BYTES + 12 * set.length);
    return withLabel(set, dst, values.join(separator));
  });
}
