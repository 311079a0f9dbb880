import { compareLabels, type Labels } from "../../model/labels.ts";
import type { Block } from "./block.ts";
import type { Findings } from "./findings.ts";
import { TENANT_SERIES, VALUE_COUNT, VALUE_SYMBOL } from "./index-tables.ts";
import { iterateBlock } from "./iterate.ts";
import { findField, labelPart, numberAt, seriesValue, symbolText, tenantRow } from "./lookup.ts";
import { idsOfRows } from "./postings.ts";
import { sectionPart } from "./section.ts";
import type { Pause } from "./sort-strings.ts";
import { passingStringAt } from "./string-table.ts";

/** Symbols ascend, so none is there twice. */
export async function verifySymbols(block: Block, findings: Findings, pause: Pause | undefined): Promise<void> {
  const { symbols } = block;
  let before: string | undefined;
  for (let part = 0; part < symbols.table.starts.length; part++) {
    findings.check(() => {
      const strings = sectionPart(symbols, part);
      for (let i = 0; i < strings.count; i++) {
        const text = passingStringAt(strings, i);
        if (before !== undefined && before >= text) {
          findings.add(block.data.path, symbols.table.starts[part] as number, `symbol ${text} comes after ${before}`);
        }
        before = text;
      }
    });
    const wait = pause?.();
    if (wait !== undefined) await wait;
  }
}

/** Tenants and the labels of their series ascend, and cover all series. */
export async function verifySeries(block: Block, findings: Findings, pause: Pause | undefined): Promise<void> {
  const { tenants } = block;
  const add = (problem: string): void => findings.add(block.data.path, 0, problem);
  findings.check(() => {
    const rows = tenants.table.items;
    const covered = rows === 0 ? 0 : numberAt(tenants, TENANT_SERIES, rows - 1);
    if (covered !== block.meta.series) add(`tenants have ${covered} series of ${block.meta.series}`);
  });
  let tenant = "";
  let labels: Labels | undefined;
  const all = iterateBlock(block);
  for (let more = true; more; ) {
    findings.check(() => {
      more = false;
      const { value, done } = all.next();
      if (done === true) return;
      more = true;
      const problem = labelsProblem(value.labels);
      if (problem !== undefined) add(`series ${value.id}: ${problem}`);
      const late =
        labels !== undefined &&
        (value.tenant < tenant || (value.tenant === tenant && compareLabels(labels, value.labels) >= 0));
      if (late) add(`series ${value.id} is not behind the one before it`);
      ({ tenant, labels } = value);
    });
    const wait = pause?.();
    if (wait !== undefined) await wait;
  }
}

function labelsProblem(labels: Labels): string | undefined {
  for (let i = 0; i < labels.length; i += 2) {
    if (i > 0 && (labels[i] as string) <= (labels[i - 2] as string)) return "its label names do not ascend";
    if (labels[i + 1] === "") return "a label is empty";
  }
  return undefined;
}

/** Every list has the series that have the label, and no other. */
export async function verifyPostings(block: Block, findings: Findings, pause: Pause | undefined): Promise<void> {
  if (block.values.table.items === 0) return;
  const { path } = block.data;
  for (let row = 0; row < block.tenants.table.items; row++) {
    const counts = new Map<number, number>();
    findings.check(() => {
      const tenant = tenantRow(block, row);
      for (let id = tenant.firstSeries; id < tenant.endSeries; id++) {
        const part = labelPart(block, id);
        for (const name of part.shapes[part.shapeOf[id & block.labels.mask] as number] ?? []) {
          counts.set(name, (counts.get(name) ?? 0) + 1);
        }
      }
      if (counts.size !== tenant.endField - tenant.firstField) findings.add(path, 0, `fields of tenant ${row}`);
    });
    for (const [name, expected] of counts) {
      findings.check(() => verifyField(block, row, name, expected, findings));
      const wait = pause?.();
      if (wait !== undefined) await wait;
    }
  }
}

/** As many ids as series that have the label, each with its value, and the values ascending: then nothing is missing. */
function verifyField(block: Block, tenant: number, name: number, expected: number, findings: Findings): void {
  const add = (problem: string): void =>
    findings.add(block.data.path, 0, `label ${symbolText(block, name)}: ${problem}`);
  const field = findField(block, tenantRow(block, tenant), name);
  if (field === undefined) {
    add("is not in the index");
    return;
  }
  let found = 0;
  let before = -1;
  for (let row = field.first; row < field.end; row++) {
    const value = numberAt(block.values, VALUE_SYMBOL, row);
    if (value <= before) add("values do not ascend");
    before = value;
    found += numberAt(block.values, VALUE_COUNT, row);
    let last = -1;
    for (const id of idsOfRows(block, Uint32Array.of(row))) {
      if (id <= last) add("a list does not ascend");
      last = id;
      if (id >= block.meta.series || seriesValue(block, id, name) !== value) add(`series ${id} is in a wrong list`);
    }
  }
  if (found !== expected) add(`${found} series in its lists instead of ${expected}`);
}
