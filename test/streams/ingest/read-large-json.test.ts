import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readJsonPush } from "../../../src/streams/codec/json-push.ts";
import { makeBatch, type SampleBatch } from "../../../src/streams/codec/sample-batch.ts";
import { JSON_PIECE, readLargeJson } from "../../../src/streams/ingest/read-large-json.ts";
import { NOW, text, turn } from "./gateway-setup.ts";

const SEEDS = { a: 1, b: 2, c: 3 };

/** A line a sample: number and hash of its series, labels, time and value. */
function said(batches: readonly SampleBatch[]): string[] {
  const lines: string[] = [];
  for (const b of batches) {
    for (let s = 0, row = 0; s < b.series; s++) {
      const labels = Buffer.from(b.arena.bytes.subarray(b.labelStart[s], b.labelEnd[s])).toString("latin1");
      const series = `${b.seen[s]} ${b.hashes.slice(3 * s, 3 * s + 3)} ${labels}`;
      for (; row < (b.sampleEnd[s] as number); row++)
        lines.push(`${series} ${b.ts[row]} ${b.words[2 * row]} ${b.words[2 * row + 1]}`);
    }
  }
  return lines;
}
async function outcome(read: () => Promise<readonly SampleBatch[]>) {
  try {
    return said(await read());
  } catch (error) {
    return String(error);
  }
}
const atOnce = (body: Uint8Array) =>
  outcome(async () => {
    const batch = makeBatch();
    readJsonPush(batch, body, NOW, SEEDS);
    return [batch];
  });
const inPieces = (body: Uint8Array) => outcome(() => readLargeJson(body, NOW, SEEDS, turn));

const series = Array.from({ length: 5_000 }, (_, i) => ({
  labels: { __name__: "large", text: `a "quoted" \\ [${i}], {é}`, i: String(i) },
  samples: i % 9 === 0 ? [] : i % 7 === 0 ? [1, [null, "NaN"], [NOW, 3]] : [[NOW + i, i / 3]],
}));
const plain = text(JSON.stringify({ series }));
const spread = text(` ${JSON.stringify({ series }, null, 1)}\n`);

describe("a large JSON body that is read in pieces", () => {
  test.each([
    ["written without spaces", plain],
    ["written with spaces", spread],
  ])("%s gives what it gives when read at once", async (_, body) => {
    let turns = 0;
    const read = await readLargeJson(body, NOW, SEEDS, () => Promise.resolve(turns++));
    expect(read.length).toBe(Math.ceil(body.length / (JSON_PIECE + 200)));
    expect(turns).toBe(read.length);
    expect(said(read)).toEqual(await atOnce(body));
  });

  test("that is broken somewhere has the outcome it has at once", async () => {
    const bytes = fc.constantFrom(...Buffer.from('{}[],:"\\ 0xé'), 0xff);
    await fc.assert(
      fc.asyncProperty(fc.nat(plain.length - 1), bytes, async (at, byte) => {
        const damaged = plain.slice();
        damaged[at] = byte;
        expect(await inPieces(damaged)).toEqual(await atOnce(damaged));
      }),
      { numRuns: 40, seed: 11 },
    );
  });

  const list = JSON.stringify(series);
  test.each([
    ["nothing", ""],
    ["an empty list", '{"series":[]}'],
    ["one series", JSON.stringify({ series: series.slice(1, 2) })],
    ["another field before", `{"a":[1],"series":${list}}`],
    ["another field behind", `{"series":${list},"a":1}`],
    ["the list twice", `{"series":${list},"series":[]}`],
    ["a comma too many at the end", `{"series":${list.slice(0, -1)},]}`],
    ["a comma too many at the beginning", `{"series":[,${list.slice(1)}}`],
    ["two commas", `{"series":${list.slice(0, -1)},,${list.slice(1)}}`],
    ["something behind", `{"series":${list}}}`],
    ["the wrong end", `{"series":${list.slice(0, -1)}}}`],
    ["no end", `{"series":${list}`],
    ["what is no series, late", `{"series":${list.slice(0, -1)},{"labels":[],"samples":[]}]}`],
    ["an escaped name", `{"s\\u0065ries":${list}}`],
  ])("%s has the outcome it has at once", async (_, body) => {
    expect(await inPieces(text(body))).toEqual(await atOnce(text(body)));
  });
});
