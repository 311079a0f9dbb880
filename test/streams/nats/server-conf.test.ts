import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";
import { formatServerConf, type ServerConf } from "../../../src/streams/nats/server-conf.ts";
import { compareVersions, isWantedVersion, parseVersionOutput } from "../../../src/streams/nats/server-version.ts";

const CONF: ServerConf = {
  serverName: "tocsin-1",
  host: "127.0.0.1",
  port: 4222,
  storeDir: "/data/nats/store",
  pidFile: "/data/nats/nats-server.pid",
  maxStoreBytes: 1 << 30,
  serverVersion: "2.15.1",
};

it("is accepted by the real server, also with odd paths and IPv6", async () => {
  const { binary } = await obtainNatsServer();
  const dir = mkdtempSync(join(tmpdir(), "tocsin-test-conf-"));
  for (const conf of [CONF, { ...CONF, host: "::1", storeDir: `${dir}/with "quotes", \\ and $HOME` }]) {
    const file = join(dir, "nats-server.conf");
    writeFileSync(file, formatServerConf(conf));
    const check = spawnSync(binary, ["-t", "-c", file], { encoding: "utf8" });
    expect(check.stderr).toMatch(/is valid/);
    expect(check.status).toBe(0);
  }
  rmSync(dir, { recursive: true });
});

it("asks only servers that know it to sync before they acknowledge", () => {
  expect(formatServerConf(CONF)).toContain("sync_interval: always");
  expect(formatServerConf({ ...CONF, serverVersion: "2.9.25" })).not.toContain("sync_interval");
});

it("reads and orders versions by number", () => {
  expect(parseVersionOutput("nats-server: v2.15.0-RC.1\n")).toBe("2.15.0-RC.1");
  expect(parseVersionOutput("usage: something else v2.1.0")).toBeUndefined();
  expect(["2.10.2", "2.9.30", "2.10.12", "3.0.0"].sort(compareVersions)).toEqual([
    "2.9.30",
    "2.10.2",
    "2.10.12",
    "3.0.0",
  ]);
  expect([isWantedVersion("2.9.25"), isWantedVersion("2.10.0"), isWantedVersion("10.0.0")]).toEqual([
    false,
    true,
    true,
  ]);
});
