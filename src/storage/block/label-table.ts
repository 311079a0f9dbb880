/**
 * Labels of consecutive series by symbols: which names each has (its shape), and a column of values for each name. Docs:
 * docs/format/block.md, "Labels".
 */
import { type Cursor, readVarint } from "../../lib/varint.ts";
import { type ByteSink, putVarint } from "./byte-sink.ts";
import { putColumn, readColumn } from "./number-column.ts";

export interface LabelPart {
  readonly count: number;
  /** Names of each shape, ascending. */
  readonly shapes: readonly Uint32Array[];
  readonly shapeOf: Uint32Array;
  /** The values of series i are values[starts[i], starts[i + 1]), in the order of its shape's names. */
  readonly starts: Uint32Array;
  readonly values: Uint32Array;
  /** Three words a series, filled when they are asked for: `hashed` says for which. */
  hashes: Uint32Array | undefined;
  hashed: Uint8Array | undefined;
}

/** Appends labels of n series: series i has the pairs pairs[2 * starts[i], 2 * starts[i + 1]) of name and value symbol. */
export function putLabels(sink: ByteSink, pairs: Uint32Array, starts: Uint32Array, n: number, pack: boolean): void {
  const shapes = new Map<string, number>();
  const shapeNames: number[][] = [];
  const refs = new Uint32Array(n);
  const columns = new Map<number, number[]>();
  for (let i = 0; i < n; i++) {
    const names: number[] = [];
    for (let k = starts[i] as number; k < (starts[i + 1] as number); k++) {
      const name = pairs[2 * k] as number;
      names.push(name);
      const column = columns.get(name);
      if (column === undefined) columns.set(name, [pairs[2 * k + 1] as number]);
      else column.push(pairs[2 * k + 1] as number);
    }
    const key = names.join();
    let shape = shapes.get(key);
    if (shape === undefined) {
      shape = shapes.size;
      shapes.set(key, shape);
      shapeNames.push(names);
    }
    refs[i] = shape;
  }
  putVarint(sink, shapeNames.length);
  for (const names of shapeNames) {
    putVarint(sink, names.length);
    let before = 0;
    for (const name of names) {
      putVarint(sink, name - before);
      before = name;
    }
  }
  putColumn(sink, refs, n, 0, pack);
  for (const [, column] of [...columns].sort(([a], [b]) => a - b)) {
    putColumn(sink, column, column.length, column[0] as number, pack);
  }
}

let column = new Uint32Array(256);

/** Decodes the labels of `count` series. Throws for what are none. */
export function readLabels(content: Uint8Array, count: number): LabelPart {
  const cursor: Cursor = { at: 0 };
  const shapes: Uint32Array[] = [];
  for (let left = readVarint(content, cursor); left > 0; left--) {
    const length = readVarint(content, cursor);
    if (length > content.length) throw new RangeError(`a shape of ${length} labels`);
    const names = new Uint32Array(length);
    let name = 0;
    for (let i = 0; i < length; i++) {
      name += readVarint(content, cursor);
      names[i] = name;
    }
    shapes.push(names);
  }
  if (column.length < count + 1) column = new Uint32Array(2 * count + 2);
  readColumn(content, cursor, count, column);
  const shapeOf = column.slice(1, count + 1);
  const starts = new Uint32Array(count + 1);
  const series = new Uint32Array(shapes.length);
  for (let i = 0; i < count; i++) {
    const shape = shapeOf[i] as number;
    const names = shapes[shape];
    if (names === undefined) throw new RangeError(`a shape ${shape} of ${shapes.length}`);
    series[shape] = (series[shape] as number) + 1;
    starts[i + 1] = (starts[i] as number) + names.length;
  }
  const rows = new Map<number, number>();
  shapes.forEach((names, shape) => {
    for (const name of names) rows.set(name, (rows.get(name) ?? 0) + (series[shape] as number));
  });
  const values = new Uint32Array(starts[count] as number);
  for (const [name, n] of [...rows].sort(([a], [b]) => a - b)) {
    readColumn(content, cursor, n, column);
    const places = Int32Array.from(shapes, (names) => names.indexOf(name));
    for (let i = 0, row = 1; row <= n; i++) {
      const place = places[shapeOf[i] as number] as number;
      if (place >= 0) values[(starts[i] as number) + place] = column[row++] as number;
    }
  }
  if (cursor.at !== content.length) throw new RangeError(`labels end at ${cursor.at} of ${content.length} bytes`);
  return { count, shapes, shapeOf, starts, values, hashes: undefined, hashed: undefined };
}

/** Symbol of the value that series i of the part has for the name, -1 none. */
export function labelValueAt(part: LabelPart, i: number, name: number): number {
  const shape = part.shapes[part.shapeOf[i] as number] as Uint32Array;
  for (let k = 0; k < shape.length; k++) {
    if (shape[k] === name) return part.values[(part.starts[i] as number) + k] as number;
  }
  return -1;
}
