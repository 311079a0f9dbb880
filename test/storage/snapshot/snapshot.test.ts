import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { realDisk } from "../../../src/lib/disk.ts";
import { headWalk } from "../../../src/storage/snapshot/head-parts.ts";
import { loadSnapshot } from "../../../src/storage/snapshot/load.ts";
import { SnapshotError } from "../../../src/storage/snapshot/snapshot-error.ts";
import type { WalkOptions } from "../../../src/storage/snapshot/tree-write.ts";
import { writeSnapshot } from "../../../src/storage/snapshot/write.ts";
import { emptyLog } from "../../../src/storage/wal/log-state.ts";
import type { WalPosition } from "../../../src/storage/wal/wal.ts";
import { makeSimDisk, type SimDisk } from "../../lib/sim-disk.ts";
import { expectEqual } from "../../support/expect-equal.ts";
import { withBadSectors } from "../bad-sectors.ts";
import { applyRichFrame, contentOf, newHead } from "./rich-head.ts";

const DIR = "/shard/head";
const START: WalPosition = { segment: 1, state: emptyLog() };
const ALL = { skip: new Set<string>(), used: () => undefined };

async function emptyDisk(): Promise<SimDisk> {
  const disk = makeSimDisk();
  await disk.makeDir(DIR);
  return disk;
}

async function write(disk: SimDisk, state: object, walk: WalkOptions = ALL) {
  return await writeSnapshot(disk, DIR, state, START, { generation: 1, ...walk }).durable;
}

describe("a snapshot of a state", () => {
  const leaf = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
    fc.constantFrom(null, undefined, -0, 2 ** 53, Number.NaN, -1),
    fc.float64Array({ maxLength: 20 }),
    fc.uint8Array({ maxLength: 20 }),
    fc.int32Array({ maxLength: 20 }),
    // Large enough to be written from where it is.
    fc.integer({ min: 17_000, max: 18_000 }).map((n) => new Uint16Array(n).fill(n, 0, n >> 1)),
  );
  const anything = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.array(tie("value"), { maxLength: 5 }),
      fc.sparseArray(tie("value"), { maxLength: 6 }),
      fc.dictionary(
        fc.string({ minLength: 1, maxLength: 5 }).filter((k) => k !== "__proto__"),
        tie("value"),
        {
          maxKeys: 5,
          noNullPrototype: true,
        },
      ),
      fc.array(fc.tuple(leaf, tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
      fc.array(leaf, { maxLength: 4 }).map((members) => new Set(members)),
    ),
  })).value;

  test("gives back any tree of plain values", async () => {
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const disk = await emptyDisk();
        await write(disk, { value });
        const fresh = { value: undefined };
        await loadSnapshot(disk, DIR, 1, fresh, ALL.skip);
        expect(fresh).toStrictEqual({ value });
      }),
      { numRuns: 300 },
    );
  });

  test("keeps what is one object one, memory that is seen twice one memory, and those that a fresh state has", async () => {
    const make = () => {
      const pool = { slabs: [] as Int32Array[], next: 0 };
      const rows = new Int32Array(8);
      return {
        pool,
        index: { pool, list: [] as unknown[] },
        rows,
        times: new Float64Array(rows.buffer),
        map: new Map(),
      };
    };
    const state = make();
    state.pool.slabs.push(new Int32Array(50_000).fill(3, 0, 10));
    state.pool.next = 7;
    state.index.list.push(state.pool, { inner: state.pool }, state.pool.slabs[0]);
    state.rows = new Int32Array(40_000).map((_, i) => i);
    state.times = new Float64Array(state.rows.buffer);
    const buffer = Buffer.from("a part of a shared pool");
    state.map.set("b", buffer);
    const disk = await emptyDisk();
    const { bytes } = await write(disk, state);
    expect(bytes).toBeLessThan(200_000);
    const fresh = make();
    const { pool, index } = fresh;
    const { slabs } = pool;
    const { list } = index;
    await loadSnapshot(disk, DIR, 1, fresh, ALL.skip);
    expect(fresh).toStrictEqual(state);
    expect(fresh.pool).toBe(pool);
    expect(fresh.pool.slabs).toBe(slabs);
    expect(fresh.index).toBe(index);
    expect(index.pool).toBe(pool);
    expect(index.list).toBe(list);
    expect(list[0]).toBe(pool);
    expect(list[1]).toStrictEqual({ inner: pool });
    expect((list[1] as { inner: object }).inner).toBe(pool);
    expect(list[2]).toBe(slabs[0]);
    expect(fresh.times.buffer).toBe(fresh.rows.buffer);
    expect(Buffer.isBuffer(fresh.map.get("b"))).toBe(true);
  });

  test("leaves out what is named, what is not in use and what is 0", async () => {
    const state = { a: new Uint8Array(100_000), b: new Uint8Array(100_000).fill(1), cache: [1], f: 1 };
    state.a[5] = 1;
    const disk = await emptyDisk();
    const walk = { skip: new Set(["cache"]), used: (path: string) => (path === "b" ? 50 : undefined) };
    const { bytes } = await write(disk, state, walk);
    expect(bytes).toBeLessThan(300);
    const fresh = { a: new Uint8Array(1), b: new Uint8Array(1), cache: [2], f: 0 };
    const { a } = state;
    await loadSnapshot(disk, DIR, 1, fresh, walk.skip);
    expect(fresh).toStrictEqual({ a, b: new Uint8Array(100_000).fill(1, 0, 50), cache: [2], f: 1 });
  });

  test("what cannot be kept is told, and no file is made", async () => {
    const disk = await emptyDisk();
    for (const bad of [() => 1, new Date(), Symbol("x"), 10n, new DataView(new ArrayBuffer(1))]) {
      expect(() => writeSnapshot(disk, DIR, { bad }, START, { ...ALL, generation: 1 })).toThrow(
        /cannot be in a snapshot/,
      );
    }
    expect(await disk.list(DIR)).toEqual([]);
  });

  test("a state of another layout is refused by name, and nothing is touched", async () => {
    const disk = await emptyDisk();
    await write(disk, { head: { count: 1, rows: new Int32Array(2) } });
    for (const [fresh, message] of [
      [{ head: { count: 0 } }, /there is no head\.rows any more/],
      [{ head: { count: 0, rows: new Int32Array(1), late: [] } }, /it has no head\.late/],
      [{ head: { count: 0, rows: new Float64Array(1) } }, /head\.rows was Int32Array and is Float64Array now/],
    ] as const) {
      const before = structuredClone(fresh);
      const loading = loadSnapshot(disk, DIR, 1, fresh, ALL.skip);
      await expect(loading).rejects.toThrow(message);
      await expect(loading).rejects.toMatchObject({ kind: "layout" });
      expect(fresh).toStrictEqual(before);
    }
  });

  test("one damaged byte anywhere, or a cut: refused, and nothing is touched", async () => {
    const disk = await emptyDisk();
    const { path } = await write(disk, { n: 5, a: new Uint8Array(20_001).fill(9, 0, 20_001), s: "text" });
    const whole = disk.file(path).slice();
    const tryLoad = async (bytes: Uint8Array): Promise<unknown> => {
      disk.replace(path, bytes);
      const fresh = { n: 0, a: new Uint8Array(1), s: "" };
      const error = await loadSnapshot(disk, DIR, 1, fresh, ALL.skip).then(
        () => undefined,
        (e: unknown) => e,
      );
      if (error !== undefined) expect(fresh).toStrictEqual({ n: 0, a: new Uint8Array(1), s: "" });
      else expect(fresh).toStrictEqual({ n: 5, a: new Uint8Array(20_001).fill(9), s: "text" });
      return error;
    };
    for (let at = 0; at < whole.length; at += at > 64 && at < 19_900 ? 997 : 1) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] as number) ^ 4;
      const error = await tryLoad(bytes);
      // The zeros between the parts belong to nothing.
      if (error === undefined) expect(at).toBeGreaterThanOrEqual(32 + 20_001);
      if (error === undefined) expect(at).toBeLessThan(32 + 20_008);
      else expect(error).toMatchObject({ kind: "damaged" });
    }
    for (const length of [0, 31, 32, 100, whole.length - 1]) {
      expect(await tryLoad(whole.slice(0, length))).toMatchObject({ kind: "damaged" });
    }
    disk.replace(path, whole);
    const bad = withBadSectors(disk, { path, from: 4096, to: 8192 });
    await expect(loadSnapshot(bad, DIR, 1, { n: 0, a: new Uint8Array(1), s: "" }, ALL.skip)).rejects.toBeInstanceOf(
      SnapshotError,
    );
  });
});

describe("a snapshot of a head", () => {
  test("with everything in it comes back, and goes on as the first one does", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 0, max: 80 }),
        fc.integer({ min: 1, max: 30 }),
        async (seed, n, more) => {
          const head = newHead();
          for (let i = 0; i < n; i++) applyRichFrame(head, seed, i);
          const disk = await emptyDisk();
          const walk = headWalk(head);
          await write(disk, { head }, walk);
          const fresh = { head: newHead() };
          await loadSnapshot(disk, DIR, 1, fresh, walk.skip);
          for (const name of ["ids", "matched", "past"] as const) Object.assign(fresh.head, { [name]: head[name] });
          Object.assign(fresh.head.symbols, { texts: head.symbols.texts, cached: head.symbols.cached });
          expectEqual(fresh.head, head);
          const again = { head: newHead() };
          await loadSnapshot(disk, DIR, 1, again, walk.skip);
          expect(contentOf(again.head)).toEqual(contentOf(head));
          for (let i = n; i < n + more; i++) {
            expect(applyRichFrame(again.head, seed, i)).toBe(applyRichFrame(head, seed, i));
          }
          expect(contentOf(again.head)).toEqual(contentOf(head));
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  test("on the real disk: a byte changed there is found", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tocsin-snapshot-"));
    try {
      const head = newHead();
      for (let i = 0; i < 60; i++) applyRichFrame(head, 1, i);
      const walk = headWalk(head);
      const { released, durable } = writeSnapshot(realDisk, dir, { head }, START, { ...walk, generation: 3 });
      await released;
      const content = contentOf(head);
      // The state may change now, what is written does not.
      for (let i = 60; i < 70; i++) applyRichFrame(head, 1, i);
      const { path, bytes } = await durable;
      const fresh = { head: newHead() };
      const loaded = await loadSnapshot(realDisk, dir, 3, fresh, walk.skip);
      expect(loaded).toMatchObject({ path, bytes, generation: 3, position: { segment: 1 } });
      expect(contentOf(fresh.head)).toEqual(content);
      const file = await readFile(path);
      file[file.length >> 1] = (file[file.length >> 1] as number) ^ 1;
      await writeFile(path, file);
      await expect(loadSnapshot(realDisk, dir, 3, { head: newHead() }, walk.skip)).rejects.toThrow(/checksum/);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
