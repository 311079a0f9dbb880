import { describe, expect, test } from "vitest";
import { makeSampleBuffer, type SampleBuffer } from "../../../src/model/sample.ts";
import { prepareRange } from "../../../src/query/execute/range-function.ts";
import { noteRange, type RangeNotes } from "../../../src/query/execute/range-notes.ts";
import { locateWindows, makeWindows } from "../../../src/query/execute/windows.ts";
import type { RangeCall } from "../../../src/query/plan/shard-plan.ts";

/** Samples every 10 s; the third one's start time lies before the second one's time. */
function overlapping(): SampleBuffer {
  const samples = makeSampleBuffer(4);
  samples.ts.set([10_000, 20_000, 30_000, 40_000]);
  samples.startTs = Float64Array.of(0, 0, 15_000, 0);
  samples.length = 4;
  return samples;
}

function notesOf(call: Partial<RangeCall>, range: number, step: number, metric: string, produced = 1): string[] {
  const samples = overlapping();
  const w = makeWindows({ start: 20_000, step, steps: 2 }, range, 0, undefined);
  locateWindows(w, samples.ts, samples.length);
  const notes: RangeNotes = new Map();
  const prepared = prepareRange({ func: "rate", range, params: [], ...call }, 2);
  noteRange(notes, prepared, samples, w, new Uint8Array(2).fill(produced), 0, metric);
  return [...notes.values()].map((note) => note.kind).sort();
}

describe("what is said of floats", () => {
  test("start times that overlap in one window, not between two; a name that is no counter's besides", () => {
    expect(notesOf({}, 20_000, 10_000, "x_total")).toEqual(["startTimeOverlap"]);
    expect(notesOf({}, 20_000, 20_000, "x_total")).toEqual([]);
    expect(notesOf({}, 10_000, 20_000, "x_total")).toEqual([]);
    expect(notesOf({}, 20_000, 10_000, "x")).toEqual(["possibleNonCounter", "startTimeOverlap"]);
  });

  test("anchored and smoothed rates do not look at start times", () => {
    expect(notesOf({ anchored: true }, 20_000, 10_000, "x_total")).toEqual([]);
    expect(notesOf({ smoothed: true }, 20_000, 10_000, "x")).toEqual(["possibleNonCounter"]);
  });

  test("a name that is no counter's matters for results that are floats", () => {
    expect(notesOf({}, 10_000, 20_000, "x", 0)).toEqual([]);
    expect(notesOf({}, 10_000, 20_000, "x", 2)).toEqual([]);
    expect(notesOf({ func: "increase" }, 10_000, 20_000, "x", 1)).toEqual(["possibleNonCounter"]);
  });
});
