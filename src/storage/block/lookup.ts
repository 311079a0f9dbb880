/** Finding things in a block's index by binary search, touching only the parts that the search goes through. */
import type { Labels } from "../../model/labels.ts";
import type { Block } from "./block.ts";
import { hashText, makeHashedText, putHashed } from "./identity.ts";
import {
  FIELD_SYMBOL,
  FIELD_VALUES,
  type NumberPart,
  TENANT_FIELDS,
  TENANT_SERIES,
  TENANT_SYMBOL,
  VALUE_SYMBOL,
} from "./index-tables.ts";
import { type LabelPart, labelValueAt } from "./label-table.ts";
import { type Section, sectionPart } from "./section.ts";
import { compareStringAt, passingStringAt, stringAt } from "./string-table.ts";

/** Number of the string among the block's symbols, -1 when it is none. */
export function findSymbol(block: Block, text: string): number {
  const at = symbolFrom(block, text);
  return at < block.symbols.table.items && symbolText(block, at) === text ? at : -1;
}

const encoder = new TextEncoder();

/** Number of the first symbol that is not before the text. */
export function symbolFrom(block: Block, text: string): number {
  const { symbols } = block;
  const wanted = encoder.encode(text);
  let low = 0;
  let high = symbols.table.items;
  while (low < high) {
    const mid = Math.floor((low + high) / 2);
    const part = sectionPart(symbols, mid >>> symbols.table.shift);
    if (compareStringAt(part, mid & symbols.mask, wanted) < 0) low = mid + 1;
    else high = mid;
  }
  return low;
}

export function symbolText(block: Block, symbol: number): string {
  const { symbols } = block;
  return stringAt(sectionPart(symbols, symbol >>> symbols.table.shift), symbol & symbols.mask);
}

/** The same for looking at many without keeping them. */
export function passingText(block: Block, symbol: number): string {
  const { symbols } = block;
  return passingStringAt(sectionPart(symbols, symbol >>> symbols.table.shift), symbol & symbols.mask);
}

/** Entry of a column of a table of numbers. */
export function numberAt(section: Section<NumberPart>, column: number, row: number): number {
  const part = sectionPart(section, row >>> section.table.shift);
  return (part[column] as Float64Array)[(row & section.mask) + 1] as number;
}

/** The entry of the row before, which is where this one begins in a column of ends. */
export function startAt(section: Section<NumberPart>, column: number, row: number): number {
  const part = sectionPart(section, row >>> section.table.shift);
  return (part[column] as Float64Array)[row & section.mask] as number;
}

/** The first of the rows [from, to), ascending in the column, that is not below the wanted number; `to` when all are. */
export function rowFrom(
  section: Section<NumberPart>,
  column: number,
  from: number,
  to: number,
  wanted: number,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const mid = Math.floor((low + high) / 2);
    if (numberAt(section, column, mid) < wanted) low = mid + 1;
    else high = mid;
  }
  return low;
}

/** A tenant's series are [firstSeries, endSeries), its fields [firstField, endField). */
export interface TenantRow {
  readonly firstSeries: number;
  readonly endSeries: number;
  readonly firstField: number;
  readonly endField: number;
}

export function tenantRow(block: Block, row: number): TenantRow {
  const { tenants } = block;
  return {
    firstSeries: startAt(tenants, TENANT_SERIES, row),
    endSeries: numberAt(tenants, TENANT_SERIES, row),
    firstField: startAt(tenants, TENANT_FIELDS, row),
    endField: numberAt(tenants, TENANT_FIELDS, row),
  };
}

export function findTenant(block: Block, tenant: string): TenantRow | undefined {
  const symbol = findSymbol(block, tenant);
  if (symbol < 0) return undefined;
  const { tenants } = block;
  const row = rowFrom(tenants, TENANT_SYMBOL, 0, tenants.table.items, symbol);
  if (row === tenants.table.items || numberAt(tenants, TENANT_SYMBOL, row) !== symbol) return undefined;
  return tenantRow(block, row);
}

export function tenantName(block: Block, row: number): string {
  return symbolText(block, numberAt(block.tenants, TENANT_SYMBOL, row));
}

/** The row of tenants that the series is of. */
function tenantOfSeries(block: Block, id: number): number {
  return rowFrom(block.tenants, TENANT_SERIES, 0, block.tenants.table.items, id + 1);
}

/** The values [first, end) of a tenant's label name; undefined when none of its series has it. */
export function findField(
  block: Block,
  tenant: TenantRow,
  name: number,
): { readonly first: number; readonly end: number } | undefined {
  const { fields } = block;
  const row = rowFrom(fields, FIELD_SYMBOL, tenant.firstField, tenant.endField, name);
  if (row === tenant.endField || numberAt(fields, FIELD_SYMBOL, row) !== name) return undefined;
  return { first: startAt(fields, FIELD_VALUES, row), end: numberAt(fields, FIELD_VALUES, row) };
}

/** Row of a value among the values [first, end), -1 when it is not there. */
export function findValue(block: Block, first: number, end: number, symbol: number): number {
  const row = rowFrom(block.values, VALUE_SYMBOL, first, end, symbol);
  return row < end && numberAt(block.values, VALUE_SYMBOL, row) === symbol ? row : -1;
}

/** The part that has the labels of a series. */
export function labelPart(block: Block, id: number): LabelPart {
  return sectionPart(block.labels, id >>> block.labels.table.shift);
}

/** Symbol of the value that a series has for a name, -1 none. */
export function seriesValue(block: Block, id: number, name: number): number {
  return labelValueAt(labelPart(block, id), id & block.labels.mask, name);
}

export function seriesLabels(block: Block, id: number): Labels {
  return labelsAt(block, labelPart(block, id), id & block.labels.mask);
}

/** Labels of series i of a part. */
export function labelsAt(block: Block, part: LabelPart, i: number): Labels {
  const names = part.shapes[part.shapeOf[i] as number] as Uint32Array;
  const at = part.starts[i] as number;
  const labels: string[] = [];
  for (let k = 0; k < names.length; k++) {
    labels.push(symbolText(block, names[k] as number), symbolText(block, part.values[at + k] as number));
  }
  return labels;
}

const hashed = makeHashedText();

/** Writes the three words of a series' hash. */
export function seriesIdentity(block: Block, id: number, out: Uint32Array, at: number): void {
  identityIn(block, block.hashes.table.items > 0 ? undefined : labelPart(block, id), id, out, at);
}

/** The same for a caller that has the part of the labels; without it the hashes are stored. */
export function identityIn(block: Block, part: LabelPart | undefined, id: number, out: Uint32Array, at: number): void {
  const { hashes } = block;
  let words: Uint32Array;
  let from: number;
  if (part === undefined || hashes.table.items > 0) {
    words = sectionPart(hashes, id >>> hashes.table.shift);
    from = 3 * (id & hashes.mask);
  } else {
    const i = id & block.labels.mask;
    part.hashed ??= new Uint8Array(part.count);
    part.hashes ??= new Uint32Array(3 * part.count);
    words = part.hashes;
    from = 3 * i;
    if (part.hashed[i] === 0) {
      hashSeries(block, part, id, i, words);
      part.hashed[i] = 1;
    }
  }
  out[at] = words[from] as number;
  out[at + 1] = words[from + 1] as number;
  out[at + 2] = words[from + 2] as number;
}

function hashSeries(block: Block, part: LabelPart, id: number, i: number, out: Uint32Array): void {
  hashed.length = 0;
  putSymbol(block, numberAt(block.tenants, TENANT_SYMBOL, tenantOfSeries(block, id)));
  const names = part.shapes[part.shapeOf[i] as number] as Uint32Array;
  const at = part.starts[i] as number;
  for (let k = 0; k < names.length; k++) {
    putSymbol(block, names[k] as number);
    putSymbol(block, part.values[at + k] as number);
  }
  hashText(hashed, out, 3 * i);
}

function putSymbol(block: Block, symbol: number): void {
  const part = sectionPart(block.symbols, symbol >>> block.symbols.table.shift);
  const i = symbol & block.symbols.mask;
  putHashed(hashed, part.bytes, part.starts[i] as number, part.starts[i + 1] as number);
}
