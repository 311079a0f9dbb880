import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canStore, storeTrouble } from "../../../src/streams/nats/store-trouble.ts";

describe("storeTrouble", () => {
  it("knows the lines after which a server stores nothing more", () => {
    const at = "[7] 2026/01/31 12:00:00.000000 [ERR]";
    const cause = "write /d/msgs/1.blk: no space left on device";
    expect(storeTrouble(`${at} Filestore [SAMPLES_1] Critical write error: ${cause}`)).toBe(cause);
    expect(storeTrouble(`${at} JetStream stream '$G > S' critical write error: input/output error`)).toBe(
      "input/output error",
    );
    expect(storeTrouble(`${at} JetStream failed to store a msg on stream 'S': ${cause}`)).toBe(
      "no space left on device",
    );
    expect(storeTrouble(`${at} JetStream out of File resources, will be DISABLED`)).toBe(
      "JetStream out of File resources, will be DISABLED",
    );
  });

  it("lets other lines pass", () => {
    expect(storeTrouble("[7] 2026/01/31 12:00:00.000000 [WRN] Healthcheck failed")).toBeUndefined();
    expect(
      storeTrouble("[7] 2026/01/31 12:00:00.000000 [ERR] 127.0.0.1:1 - cid:5 - Client parser ERROR"),
    ).toBeUndefined();
  });
});

describe("canStore", () => {
  it("is true where a file can be written, and leaves nothing behind", async () => {
    const dir = await mkdtemp(join(tmpdir(), "tocsin-test-store-"));
    expect(await canStore(dir)).toBe(true);
    expect(await readdir(dir)).toEqual([]);
    await rm(dir, { recursive: true });
    expect(await canStore(dir)).toBe(false);
  });
});
