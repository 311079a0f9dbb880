import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import type { FastifyInstance } from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import type { ApiDeps } from "../../src/api/deps.ts";
import { makeServer } from "../../src/api/server.ts";
import { one, setup, turn, write } from "../streams/ingest/gateway-setup.ts";
import { replay } from "../streams/support/memory-bus.ts";

const BODIES = 16;
/** Of a body: few enough to be appended at once when they are new. */
const SERIES = 2_000;

let app: FastifyInstance | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await app?.close();
});

async function start(maxDecodedBytes = 1 << 24) {
  const { gateway, bus } = setup();
  bus.open();
  const observe = { request: () => {}, accepted: () => {}, rejected: () => {} };
  const limits = { maxBodyBytes: 1 << 24, maxDecodedBytes };
  const deps = { ingest: gateway, limits, observe, now: Date.now, log: console, shards: [], alertManager: {} };
  const server = makeServer(deps as unknown as ApiDeps);
  app = server;
  await server.listen({ port: 0, host: "127.0.0.1" });
  const { port } = server.server.address() as { port: number };
  /** What was answered, in the order of the answers. */
  const order: string[] = [];
  /** How many series had been read by then. */
  const readBefore = new Map<string, number>();
  /** Sends a request (method and path, and a line each header); what it is told to keep back only with `rest()`. */
  const ask = (name: string, head: string, body: Uint8Array = new Uint8Array(0), keepBack = 0) => {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    const answered = new Promise<string>((resolve, reject) => {
      socket.once("data", (data) => {
        order.push(name);
        readBefore.set(name, gateway.stats().cacheMisses);
        resolve(/^HTTP\/1.1 (\d+)/.exec(data.toString("latin1"))?.[1] ?? "");
      });
      socket.on("error", reject);
    });
    const [what, ...headers] = head.split("\n");
    if (body.length > 0) headers.push(`content-length: ${body.length}`);
    socket.write([`${what} HTTP/1.1`, "host: a", ...headers, "", ""].join("\r\n"));
    socket.write(body.subarray(0, body.length - keepBack));
    return { answered, rest: () => socket.write(body.subarray(body.length - keepBack)) };
  };
  /** Large bodies of which all but the last byte has come. */
  const almost = async (heads: readonly string[], bodies: readonly Uint8Array[]) => {
    const asked = bodies.map((body, k) => ask(`body ${k}`, heads[k % heads.length] as string, body, 1));
    const bytes = bodies.reduce((sum, body) => sum + body.length - 1, 0);
    while (gateway.stats().bodyBytes < bytes) await turn();
    return asked;
  };
  return { gateway, bus, order, readBefore, ask, almost };
}

const series = (k: number) =>
  Array.from({ length: SERIES }, (_, i) => one({ __name__: "large", body: String(k), i: String(i) }, i));
const json = (k: number) =>
  Buffer.from(
    JSON.stringify({
      series: series(k).map((s) => ({ labels: Object.fromEntries(s.labels), samples: [[s.samples[0]?.ts, k]] })),
    }),
  );
const upTo = (n: number) => Array.from({ length: n }, (_, k) => k);
const JSON_HEAD = "POST /api/v1/ingest";
const inJson = upTo(BODIES).map(json);
const inProtobuf = upTo(BODIES).map((k) => write([...series(k), one({ __name__: "long", x: "x".repeat(1 << 20) })]));

describe("many large bodies at once", () => {
  it.each([
    ["JSON", JSON_HEAD, inJson, "204"],
    ["remote write", "POST /api/v1/write", inProtobuf, "400"],
  ] as const)("in %s: who asks after them is answered before they are read", async (_, head, bodies, status) => {
    const { bus, gateway, order, readBefore, ask, almost } = await start();
    const asked = await almost([head], bodies);
    for (const { rest } of asked) rest();
    const healthy = ask("healthy", "GET /-/healthy");
    const small = ask("small", JSON_HEAD, Buffer.from('{"series":[{"labels":{"__name__":"small"},"samples":[1]}]}'));
    expect(await healthy.answered).toBe("200");
    expect(await small.answered).toBe("204");
    for (const { answered } of asked) expect(await answered).toBe(status);
    expect(order).toHaveLength(BODIES + 2);
    for (const other of ["healthy", "small"]) {
      expect(order.indexOf(other)).toBeLessThan(BODIES / 2);
      expect(readBefore.get(other)).toBeLessThan((BODIES * SERIES) / 2);
    }
    await gateway.flush();
    expect(replay(bus.stored).filter((s) => s.labels.includes("large"))).toHaveLength(BODIES * SERIES);
  });

  it("of one tenant do not keep another's single one waiting for all of them", async () => {
    const { order, ask, almost } = await start();
    const asked = await almost([JSON_HEAD], inJson.slice(0, -1));
    const other = ask("other", `${JSON_HEAD}\nx-scope-orgid: other`, json(BODIES), 1);
    await turn();
    for (const { rest } of asked) rest();
    other.rest();
    expect(await other.answered).toBe("204");
    for (const { answered } of asked) expect(await answered).toBe("204");
    expect(order.indexOf("other")).toBeLessThan(BODIES / 2);
  });

  it("in gzip have their turn one by one, also after one that is none or too large", async () => {
    const limit = Math.max(...inJson.map((body) => body.length));
    expect(limit).toBeGreaterThan(1 << 17);
    const { bus, gateway, ask } = await start(limit);
    const head = `${JSON_HEAD}\ncontent-encoding: gzip`;
    const packed = inJson.map((body) => gzipSync(body));
    const broken = Buffer.from(packed[0] as Buffer);
    broken.fill(0, broken.length - 8);
    const answers = [
      ask("broken", head, broken),
      ask("too large", head, gzipSync(Buffer.alloc(limit + 1, " "))),
      ...packed.map((body) => ask("good", head, body)),
    ].map(({ answered }) => answered);
    expect(await Promise.all(answers)).toEqual(["400", "413", ...packed.map(() => "204")]);
    await gateway.flush();
    expect(replay(bus.stored)).toHaveLength(BODIES * SERIES);
  });
});
