import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataDirError, openDataDir } from "../../src/cli/data-dir.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tocsin-data-dir-"));
});
afterEach(() => {
  chmodSync(root, 0o700);
  rmSync(root, { recursive: true });
});

const refusal = (dir: string) =>
  openDataDir(dir, 2).then(
    () => "opened",
    (e: unknown) => (e instanceof DataDirError ? e.message : `not a DataDirError: ${String(e)}`),
  );

describe("the data dir", { timeout: 90_000 }, () => {
  it("is not described anew over the data of shards", async () => {
    const first = await openDataDir(root, 3);
    mkdirSync(join(first.shard(1), "wal"), { recursive: true });
    await first.release();
    rmSync(join(root, "tocsin.json"));
    expect(await refusal(root)).toMatch(/^.*tocsin.json is missing though .* holds the data of 3 shards \(0, 1, 2\): /);
    expect(await refusal(root)).toContain('put {"format":1,"partitions":3} into it');
  });

  it("is made where there is none, and keeps the number of partitions that it was made with", async () => {
    const path = join(root, "a/b");
    const first = await openDataDir(path, 3);
    expect(first).toMatchObject({ path, partitions: 3, nats: `${path}/nats`, alerting: `${path}/alerting` });
    expect(first.shard(2)).toBe(`${path}/shards/2`);
    expect(JSON.parse(readFileSync(join(path, "tocsin.json"), "utf8"))).toEqual({
      format: 1,
      partitions: 3,
      checksum: expect.stringMatching(/^[0-9a-f]{8}$/),
    });
    await first.release();
    const second = await openDataDir(path, 16);
    expect(second.partitions).toBe(3);
    await second.release();
  });

  it("is for one process at a time, under whatever name", async () => {
    const path = join(root, "data");
    const held = await openDataDir(path, 2);
    const line = /^another tocsin process uses the data dir .*: stop it or name another with --data-dir$/;
    expect(await refusal(path)).toMatch(line);
    symlinkSync(path, join(root, "link"));
    expect(await refusal(join(root, "link"))).toMatch(line);
    expect(await refusal(join(root, "other"))).toBe("opened");
    await held.release();
    const again = await openDataDir(join(root, "link"), 2);
    await again.release();
  });

  it("goes to exactly one of many who want it at once", async () => {
    const path = join(root, "race");
    const opened = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => openDataDir(path, i + 1)));
    const won = opened.filter((o) => o.status === "fulfilled");
    expect(won).toHaveLength(1);
    expect(readdirSync(path).sort()).toEqual(["shards", "tocsin.json"]);
    for (const { value } of won) await value.release();
  });

  it("is free again when its process was killed", async () => {
    const path = join(root, "killed");
    const module = resolve("src/cli/data-dir.ts");
    const text = `import { openDataDir } from ${JSON.stringify(module)};
      await openDataDir(${JSON.stringify(path)}, 2); console.log("open"); setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ["--input-type=module", "-e", text], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(holder.stdout, "data");
      expect(await refusal(path)).toContain("another tocsin process uses the data dir");
    } finally {
      holder.kill("SIGKILL");
      await once(holder, "exit");
    }
    const mine = await openDataDir(path, 2);
    await mine.release();
  });

  it("that cannot be written is refused", async ({ skip }) => {
    skip(process.getuid?.() === 0, "root may write everywhere");
    chmodSync(root, 0o500);
    expect(await refusal(root)).toMatch(/^cannot write to the data dir .* \(EACCES\): make it writable/);
    expect(await refusal(join(root, "below"))).toMatch(/^cannot write to the data dir .* \(EACCES\): make it writable/);
  });

  it("that is a file, or lies in one, is refused", async () => {
    writeFileSync(join(root, "file"), "");
    expect(await refusal(join(root, "file"))).toMatch(/^cannot write to the data dir .*file \(EEXIST\)/);
    expect(await refusal(join(root, "file/data"))).toMatch(/^cannot write to the data dir .*file\/data \(ENOTDIR\)/);
    expect(await refusal("/proc/tocsin")).toMatch(/^cannot write to the data dir \/proc\/tocsin \(ENOENT\)/);
  });

  it("whose description is somebody else's is left alone, and not locked by the refusal", async () => {
    const file = join(root, "tocsin.json");
    const foreign = [
      "",
      "{",
      "null",
      "[]",
      '"x"',
      '{"format":2,"partitions":2}',
      '{"format":1,"partitions":0}',
      '{"format":1,"partitions":1.5}',
    ];
    for (const text of foreign) {
      writeFileSync(file, text);
      expect(await refusal(root), text).toBe(
        `${file} is not a Tocsin data dir's description: is ${root} the right folder?`,
      );
      expect(readFileSync(file, "utf8")).toBe(text);
    }
    rmSync(file);
    mkdirSync(file);
    expect(await refusal(root)).toMatch(/^cannot read .*tocsin.json: EISDIR/);
    rmSync(file, { recursive: true });
    const own = await openDataDir(root, 2);
    await own.release();
  });
});
