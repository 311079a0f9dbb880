import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openDataDir } from "../../src/cli/data-dir.ts";
import { verifyStorage } from "../../src/cli/storage.ts";
import { encodeSegmentHeader } from "../../src/storage/wal/format.ts";
import { said } from "./said.ts";

it("storage verify notes a last write that is incomplete, and counts it as no damage", async () => {
  const root = mkdtempSync(join(tmpdir(), "tocsin-verify-"));
  try {
    const dir = await openDataDir(root, 1);
    const wal = join(dir.shard(0), "wal");
    await dir.release();
    mkdirSync(wal);
    const file = join(wal, "00000001.wal");
    writeFileSync(file, Buffer.concat([encodeSegmentHeader(1), new Uint8Array(24).fill(1)]));
    const { text, code } = await said(() => verifyStorage(root));
    expect(text.split("\n")).toEqual([
      expect.stringMatching(
        /^note: .*00000001.wal at byte 32: the last write is incomplete or damaged \(.*\), 24 bytes: /,
      ),
      "all of 1 blocks, snapshots and log segments are whole, but for the last write of 1 logs",
    ]);
    expect(code).toBe(0);
  } finally {
    rmSync(root, { recursive: true });
  }
});
