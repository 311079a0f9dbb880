import { compareLabels, type Labels } from "../../model/labels.ts";
import { due, overRows, type Pace, ROW_WORK, turn } from "../execute/pace.ts";

/** Rows over the same steps, in the order of their labels, no two of them equal. */
export interface Rows {
  readonly steps: number;
  readonly labels: readonly Labels[];
  /** Row-major: row r at step s is cell `r * steps + s`. */
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

/** The steps [from, to) of some rows, which become the steps from `at` on. */
export interface Piece {
  readonly rows: Rows;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

/**
 * Puts pieces of time together to rows of `steps` steps, in the order of their labels; rows without a point in the pieces are left
 * out. `reserve` hears how many points that will be before there is room made for them.
 */
export async function joinColumns(
  pace: Pace,
  pieces: readonly Piece[],
  steps: number,
  reserve: (points: number) => void,
): Promise<Rows> {
  const labels: Labels[] = [];
  /** Of each row its number in each piece, -1 where it is in none. */
  const sources: number[] = [];
  const there: Uint8Array[] = [];
  for (const piece of pieces) there.push(await rowsWithPoints(pace, piece));
  const next = pieces.map((_, p) => nextRow(there[p] as Uint8Array, 0));
  for (;;) {
    let least: Labels | undefined;
    for (let p = 0; p < pieces.length; p++) {
      const of = (pieces[p] as Piece).rows.labels[next[p] as number];
      if (of !== undefined && (least === undefined || compareLabels(of, least) < 0)) least = of;
    }
    if (least === undefined) break;
    labels.push(least);
    for (let p = 0; p < pieces.length; p++) {
      const r = next[p] as number;
      const of = (pieces[p] as Piece).rows.labels[r];
      const isIn = of !== undefined && (of === least || compareLabels(of, least) === 0);
      sources.push(isIn ? r : -1);
      if (isIn) next[p] = nextRow(there[p] as Uint8Array, r + 1);
    }
    if (due(pace, ROW_WORK)) await turn(pace);
  }
  reserve(labels.length * steps);
  const values = new Float64Array(labels.length * steps);
  const present = new Uint8Array(labels.length * steps);
  for (let p = 0; p < pieces.length; p++) {
    const { rows, from, to, at } = pieces[p] as Piece;
    await overRows(pace, labels.length, to - from, (r, a, b) => {
      const source = sources[r * pieces.length + p] as number;
      if (source < 0) return;
      const first = source * rows.steps + from;
      values.set(rows.values.subarray(first + a, first + b), r * steps + at + a);
      present.set(rows.present.subarray(first + a, first + b), r * steps + at + a);
    });
  }
  return { steps, labels, values, present };
}

/** 1 for each row that has a point in the piece. */
async function rowsWithPoints(pace: Pace, { rows, from, to }: Piece): Promise<Uint8Array> {
  const there = new Uint8Array(rows.labels.length);
  await overRows(pace, rows.labels.length, to - from, (r, a, b) => {
    const first = r * rows.steps + from;
    for (let i = first + a; i < first + b && there[r] === 0; i++) if (rows.present[i] !== 0) there[r] = 1;
  });
  return there;
}

function nextRow(there: Uint8Array, from: number): number {
  const at = there.indexOf(1, from);
  return at < 0 ? there.length : at;
}
