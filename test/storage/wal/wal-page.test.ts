import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openWal } from "../../../src/storage/wal/open.ts";
import { walAppend, walEpoch, walSync } from "../../../src/storage/wal/wal.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

const page = readFileSync(new URL("../../../docs/format/wal.md", import.meta.url), "utf8");

/** The bytes of the page's hex block, whose lines are offset, up to 16 bytes, remark. */
function example(): Uint8Array {
  const lines = (/```hex\n([\s\S]*?)```/.exec(page)?.[1] ?? "").trimEnd().split("\n");
  return Uint8Array.from(
    lines.flatMap((line, i) => {
      expect(Number.parseInt(line.slice(0, 4), 16)).toBe(16 * i);
      const bytes = line.slice(6, 53).trim().split(" ");
      return bytes.map((b) => Number.parseInt(b, 16));
    }),
  );
}

describe("docs/format/wal.md", () => {
  test("the example is read as the page says", async () => {
    const frames: [number, string][] = [];
    const opened = await openWal("/w", makeSimDisk(new Map([["/w/00000001.wal", example()]])), {
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
    expect(Buffer.from(disk.file("/w/00000001.wal")).toString("hex")).toBe(Buffer.from(example()).toString("hex"));
  });
});
