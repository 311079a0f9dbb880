import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSnapshot } from "../../../src/storage/snapshot/load.ts";
import { writeSnapshot } from "../../../src/storage/snapshot/write.ts";
import { makeSequenceSet } from "../../../src/storage/wal/sequence-set.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

const page = readFileSync(new URL("../../../docs/format/head-snapshot.md", import.meta.url), "utf8");

/** The bytes of the page's hex block, whose lines are offset, up to 16 bytes, remark. */
function example(): Uint8Array {
  const lines = (/```hex\n([\s\S]*?)```/.exec(page)?.[1] ?? "").trimEnd().split("\n");
  return Uint8Array.from(
    lines.flatMap((line, i) => {
      expect(Number.parseInt(line.slice(0, 4), 16)).toBe(16 * i);
      return line
        .slice(6, 53)
        .trim()
        .split(" ")
        .map((b) => Number.parseInt(b, 16));
    }),
  );
}

const log = { epoch: "s", ordinal: 1, base: 0 };

describe("docs/format/head-snapshot.md", () => {
  test("the example is read as the page says", async () => {
    const disk = makeSimDisk(new Map([["/head/00000005.head", example()]]));
    const fresh = {
      head: {
        ...{ count: 0, rows: new Int32Array(1), times: new Float64Array(1) },
        ...{ minT: 0, names: [] as string[], one: new Uint16Array(1) },
      },
    };
    const { position } = await loadSnapshot(disk, "/head", 5, fresh, new Set());
    const { head } = fresh;
    expect(head.count).toBe(2);
    expect(head.rows).toStrictEqual(new Int32Array(8192).map((_, i) => [1, -2][i] ?? 0));
    expect(head.times.buffer).toBe(head.rows.buffer);
    expect(head.times).toHaveLength(4096);
    expect([head.minT, head.names, [...head.one]]).toEqual([Number.NEGATIVE_INFINITY, ["up"], [9]]);
    expect(position).toMatchObject({ segment: 3, state: log });
    expect(position.state.applied.contiguousEnd()).toBe(7);
  });

  test("the example is what is written", async () => {
    const disk = makeSimDisk();
    await disk.makeDir("/head");
    const rows = new Int32Array(8192);
    rows.set([1, -2]);
    const times = new Float64Array(rows.buffer);
    const state = {
      head: { count: 2, rows, times, minT: Number.NEGATIVE_INFINITY, names: ["up"], one: Uint16Array.of(9) },
    };
    const position = { segment: 3, state: { ...log, applied: makeSequenceSet(7) } };
    const walk = { skip: new Set<string>(), used: () => undefined };
    const { path } = await writeSnapshot(disk, "/head", state, position, { ...walk, generation: 5 }).durable;
    expect(path).toBe(join("/head", "00000005.head"));
    expect(Buffer.from(disk.file(path)).toString("hex")).toBe(Buffer.from(example()).toString("hex"));
  });
});
