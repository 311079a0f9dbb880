import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeLogState, encodeLogState } from "../../../src/storage/wal/log-state.ts";
import { openWal } from "../../../src/storage/wal/open.ts";
import { walAppend, walClose, walEpoch, walSync } from "../../../src/storage/wal/wal.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

const page = readFileSync(new URL("../../../docs/format/wal.md", import.meta.url), "utf8");

/** The bytes of one of the page's hex blocks, whose lines are offset, up to 16 bytes, remark. */
function example(number: number): Uint8Array {
  const block = [...page.matchAll(/```hex\n([\s\S]*?)```/g)][number]?.[1] ?? "";
  const lines = block
    .trimEnd()
    .split("\n")
    .filter((line) => !line.startsWith(" "));
  return Uint8Array.from(
    lines.flatMap((line, i) => {
      expect(Number.parseInt(line.slice(0, 4), 16)).toBe(16 * i);
      const bytes = line.slice(6, 53).trim().split(" ");
      return bytes.map((b) => Number.parseInt(b, 16));
    }),
  );
}

/** The page's example as version 1 had it. */
const VERSION_1 = `
54 53 57 31 01 00 00 00 01 00 00 00 00 00 00 00
00 00 00 00 00 00 00 00 00 00 00 00 a6 96 dd 79
54 53 57 52 14 00 00 00 02 00 00 00 20 00 00 00
00 00 00 00 00 00 00 00 70 29 ea 05 00 00 00 00
32 30 32 36 2d 31 31 2d 32 32 54 31 30 3a 30 30
3a 30 30 5a 00 00 00 00 54 53 57 52 05 00 00 00
01 00 00 00 58 00 00 00 01 00 00 00 00 00 00 00
93 8b 53 e0 00 00 00 00 66 69 72 73 74 00 00 00
54 53 57 52 08 00 00 00 01 00 00 00 58 00 00 00
02 00 00 00 00 00 00 00 1d b9 cf da 00 00 00 00
73 65 63 6f 6e 64 21 21
`;

describe("docs/format/wal.md", () => {
  test("the example is read as the page says", async () => {
    const frames: [number, string][] = [];
    const opened = await openWal("/w", makeSimDisk(new Map([["/w/00000001.wal", example(0)]])), {
      replay: (seq, payload) => frames.push([seq, new TextDecoder().decode(payload)]),
    });
    expect(frames).toEqual([
      [1, "first"],
      [2, "second!!"],
    ]);
    expect(opened).toMatchObject({ epoch: "2026-11-22T10:00:00Z", lastSeq: 2, truncated: undefined });
  });

  test("the example is what is written", async () => {
    const disk = makeSimDisk();
    const { wal } = await openWal("/w", disk, { replay: () => undefined });
    walEpoch(wal, "2026-11-22T10:00:00Z");
    await walSync(wal);
    walAppend(wal, 1, new TextEncoder().encode("first"));
    walAppend(wal, 2, new TextEncoder().encode("second!!"));
    await walSync(wal);
    expect(Buffer.from(disk.file("/w/00000001.wal")).toString("hex")).toBe(Buffer.from(example(0)).toString("hex"));
  });

  test("the state is read and written as the page says", () => {
    const { applied, ...rest } = decodeLogState(example(1));
    expect(rest).toEqual({ epoch: "s", ordinal: 1, base: 0 });
    expect(applied.contiguousEnd()).toBe(7);
    expect(applied.islands()).toEqual([
      { from: 10, to: 12 },
      { from: 20, to: 20 },
    ]);
    expect([...encodeLogState({ ...rest, applied })]).toEqual([...example(1)]);
  });

  test("version 1 is read, and followed by a segment of this version", async () => {
    const bytes = Uint8Array.from(VERSION_1.trim().split(/\s+/), (b) => Number.parseInt(b, 16));
    const disk = makeSimDisk(new Map([["/w/00000001.wal", bytes]]));
    const seen: number[] = [];
    const { wal, epoch } = await openWal("/w", disk, { replay: (seq) => seen.push(seq) });
    expect({ epoch, seen }).toEqual({ epoch: "2026-11-22T10:00:00Z", seen: [1, 2] });
    walAppend(wal, 3, new Uint8Array(1), "backlog");
    await walClose(wal);
    expect(Buffer.compare(disk.file("/w/00000001.wal"), bytes)).toBe(0);
    const kinds: string[] = [];
    const again = await openWal("/w", disk, { replay: (seq, _, kind) => kinds.push(`${seq} ${kind}`) });
    expect(kinds).toEqual(["1 frame", "2 frame", "3 backlog"]);
    expect(again).toMatchObject({ damage: [], epoch });
  });
});
