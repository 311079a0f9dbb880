import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fetchFromDebian } from "../../../src/streams/nats/debian-package.ts";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";
import { isWantedVersion } from "../../../src/streams/nats/server-version.ts";

/** A program that says it is a nats-server of this version. */
async function fakeServer(path: string, version: string): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  await chmod(path, 0o755);
}

describe("obtainNatsServer", { timeout: 90_000 }, () => {
  let dir: string;
  let lines: string[];
  let web: Server | undefined;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "tocsin-test-obtain-"));
    lines = [];
  });
  afterEach(async () => {
    web?.close();
    web = undefined;
    await rm(dir, { recursive: true, force: true });
  });
  const obtain = (env: Record<string, string> = {}) =>
    obtainNatsServer({
      cacheDir: join(dir, "cache"),
      env: { PATH: join(dir, "bin"), ...env },
      etcApt: join(dir, "etc-apt"),
      say: (level, line) => lines.push(`${level} ${line}`),
    });
  const serve = async (body: Uint8Array) => {
    web = createServer((_, response) => response.end(body)).listen(0, "127.0.0.1");
    await new Promise((r) => web?.once("listening", r));
    return `http://127.0.0.1:${(web.address() as AddressInfo).port}/nats-server.tar.gz`;
  };

  it("takes one on PATH that is new enough, and says so in one line", async () => {
    await fakeServer(join(dir, "bin/nats-server"), "2.11.3");
    const binary = join(dir, "bin/nats-server");
    expect(await obtain()).toEqual({ binary, version: "2.11.3", origin: "PATH" });
    expect(lines).toEqual([`info nats-server 2.11.3 (PATH): ${binary}`]);
  });

  it("prefers the cache to an old one on PATH, and the newest in the cache", async () => {
    await fakeServer(join(dir, "bin/nats-server"), "2.9.10");
    await fakeServer(join(dir, "cache/nats-server/2.9.25/nats-server"), "2.9.25");
    await fakeServer(join(dir, "cache/nats-server/2.10.2/nats-server"), "2.10.2");
    await fakeServer(join(dir, "cache/nats-server/2.10.10/nats-server"), "2.10.10");
    expect(await obtain()).toMatchObject({ version: "2.10.10", origin: "cached unknown origin" });
  });

  it("fetches the archive named by the environment into the cache, once", async () => {
    await fakeServer(join(dir, "nats-server-v2.12.0/nats-server"), "2.12.0");
    const archive = execFileSync("tar", ["-czf", "-", "-C", dir, "nats-server-v2.12.0"]);
    const sha256 = createHash("sha256").update(archive).digest("hex");
    const url = await serve(archive);
    const env = { TOCSIN_NATS_URL: url, TOCSIN_NATS_SHA256: sha256 };
    const [a, b] = await Promise.all([obtain(env), obtain(env)]);
    const binary = join(dir, "cache/nats-server/2.12.0/nats-server");
    expect(a).toMatchObject({ binary, version: "2.12.0" });
    expect(b).toMatchObject({ binary, version: "2.12.0" });
    expect([a.origin, b.origin].sort()).toEqual([`cached release ${url}`, `release ${url}`]);
    expect(await readFile(join(dir, "cache/nats-server/2.12.0/origin"), "utf8")).toBe(`release ${url}\n`);
    web?.close();
    expect((await obtain(env)).origin).toBe(`cached release ${url}`);
  });

  it("does not use an archive with another checksum, and says what to do when nothing is left", async () => {
    const url = await serve(new TextEncoder().encode("not what was pinned"));
    const obtained = obtain({ TOCSIN_NATS_URL: url, TOCSIN_NATS_SHA256: "0".repeat(64) });
    await expect(obtained).rejects.toMatchObject({
      code: "no_server_binary",
      message: expect.stringMatching(
        /SHA-256 [0-9a-f]{64}, pinned is 0{64}: not used.*no Debian mirror is named.*Install nats-server 2\.10 or newer/,
      ),
    });
  });

  it("takes an old one when there is no better, and says what it costs", async () => {
    await fakeServer(join(dir, "sbin/nats-server"), "2.9.10");
    const url = await serve(new Uint8Array());
    expect((await obtain({ TOCSIN_NATS_URL: url, TOCSIN_NATS_SHA256: "0".repeat(64) })).version).toBe("2.9.10");
    expect(lines.at(-1)).toMatch(/^warn nats-server 2\.9\.10 is older than 2\.10: .*power cut can lose/);
  });

  it.skipIf(process.env.TOCSIN_TEST_FETCH === undefined)(
    "fetches Debian's package without root (set TOCSIN_TEST_FETCH=1 to use the network)",
    { timeout: 120_000 },
    async () => {
      const fetched = await fetchFromDebian(join(dir, "deb"));
      expect(fetched.origin).toMatch(/^Debian package, suite /);
      expect(isWantedVersion(fetched.version)).toBe(true);
    },
  );
});
