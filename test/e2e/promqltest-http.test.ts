import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { often } from "../support/often.ts";
import { freePort, killLeftOvers, startTocsin } from "./tocsin.ts";

/**
 * Prometheus's acceptance tests for PromQL against the running program: data goes in by remote write 1.0 and 2.0, queries go over
 * HTTP, in the soak each instant one as a range too. The scripts and their runner are not part of the repository: they are looked for in
 * ../shared/tools (or PROMQLTEST_RUNNER).
 */
const RUNNER = process.env.PROMQLTEST_RUNNER ?? join(import.meta.dirname, "../../../shared/tools/promqltest.mjs");

/** Doubles what there is to ask. Without a server in between test/query/promqltest asks for ranges always. */
const AS_RANGES = often(0, 1) === 1;

/** Samples lie at the beginning of 1970, in any order. */
const CONFIG = "agent: { enabled: false }\nstorage: { out_of_order_window: 100y, retention: { raw: 0 } }\n";

const servers: Server[] = [];
afterAll(() => {
  killLeftOvers();
  for (const server of servers) server.close();
});

/** A way to the server on which a tenant's queries see all that it has written: the runner knows of no positions. */
async function seeingOwnWrites(target: string): Promise<string> {
  const written = new Map<string, string>();
  const server = createServer((incoming, outgoing) => {
    const tenant = String(incoming.headers["x-scope-orgid"]);
    const isWrite = incoming.url === "/api/v1/write";
    const token = isWrite ? undefined : written.get(tenant);
    const headers = { ...incoming.headers, ...(token === undefined ? {} : { "x-tocsin-read-after": token }) };
    const onward = request(target + incoming.url, { method: incoming.method ?? "GET", headers }, (answer) => {
      const position = answer.headers["x-tocsin-position"];
      if (isWrite && position !== undefined) {
        const before = written.get(tenant);
        written.set(tenant, before === undefined ? String(position) : `${before},${position}`);
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", (e) => outgoing.destroy(e));
    incoming.pipe(onward);
  });
  servers.push(server);
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return `http://127.0.0.1:${port}`;
}

async function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [RUNNER, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (piece: string) => {
      output += piece;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

describe.skipIf(!existsSync(RUNNER))(`promqltest over HTTP (skipped where ${RUNNER} is absent)`, () => {
  it(`every case passes${AS_RANGES ? ", as a range too" : ""}`, { timeout: 600_000 }, async () => {
    const tocsin = await startTocsin({ config: CONFIG });
    const url = await seeingOwnWrites(tocsin.url);
    const { code, output } = await run([
      "--url",
      url,
      "--tenant-header",
      "X-Scope-OrgID",
      ...(AS_RANGES ? ["--also-range"] : []),
    ]);
    expect(output.split("\n").filter((line) => line.startsWith("FAIL") || line.includes("load refused"))).toEqual([]);
    const [, passed, total] = /promqltest: (\d+) passed of (\d+)/.exec(output) ?? [];
    expect(passed, output).toBe(total);
    // A runner that finds no scripts would pass as well.
    expect(Number(total)).toBeGreaterThan(2000);
    expect(code).toBe(0);
  });
});
