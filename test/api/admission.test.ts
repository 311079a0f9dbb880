import { connect, type Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { afterEach, describe, expect, it } from "vitest";
import type { ApiDeps } from "../../src/api/deps.ts";
import { makeServer } from "../../src/api/server.ts";
import { NOW, one, setup, write } from "../streams/ingest/gateway-setup.ts";

const HOUR = 3_600_000;
const MAX_BODY = 1 << 20;
const ROOM = 2 << 20;

let app: FastifyInstance | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await app?.close();
});

async function start() {
  const { gateway, bus } = setup({ maxQueuedBytes: ROOM, partitions: 1 });
  bus.open();
  const clock = { now: NOW };
  const rejected: string[] = [];
  const observe = {
    request: () => {},
    accepted: () => {},
    rejected: (protocol: string, reason: string) => rejected.push(`${protocol} ${reason}`),
  };
  const limits = { maxBodyBytes: MAX_BODY, maxDecodedBytes: 1 << 24 };
  const deps = { ingest: gateway, limits, observe, now: () => clock.now, log: console, shards: [], alertManager: {} };
  const server = makeServer(deps as unknown as ApiDeps);
  app = server;
  await server.listen({ port: 0, host: "127.0.0.1" });
  const { port } = server.server.address() as { port: number };
  /** Sends what it is told of a body, and hears the answer's status line. */
  const sender = (headers: string) => {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    const status = new Promise<string>((resolve, reject) => {
      let text = "";
      socket.on("data", (data) => {
        text += data.toString("latin1");
        const line = /^HTTP\/1.1 (\d+)/.exec(text)?.[1];
        if (line !== undefined) resolve(line + (/retry-after/i.test(text) ? " retry-after" : ""));
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("closed without an answer")));
    });
    status.catch(() => {});
    socket.write(
      `POST /api/v1/write HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\n${headers}\r\n\r\n`,
    );
    return { socket, status };
  };
  const held = async (atLeast: number) => {
    while (gateway.stats().bodyBytes < atLeast) await new Promise((resolve) => setImmediate(resolve));
  };
  const send = (body: Uint8Array) => {
    const { socket, status } = sender(`content-length: ${body.length}`);
    socket.write(body);
    return status;
  };
  return { gateway, bus, clock, rejected, sender, held, send };
}

const good = write([one({ __name__: "m" })]);
const BIG = `content-length: ${MAX_BODY}`;

describe("room for bodies", () => {
  it("a length that is announced, of which little comes, keeps nobody out", async () => {
    const { gateway, sender, held, send } = await start();
    const slow = Array.from({ length: 20 }, () => sender(BIG));
    for (const { socket } of slow) socket.write(Buffer.alloc(100));
    await held(20 * 100);
    expect(gateway.stats().bodyBytes).toBeLessThan(20 * 1_000);
    expect(await send(good)).toBe("204");
  });

  it("bodies that have come hold their room, whoever is beyond it hears 503, and what was held is given back", async () => {
    const { gateway, rejected, sender, held, send } = await start();
    const full = Array.from({ length: 3 }, () => sender(BIG));
    for (const { socket } of full) socket.write(Buffer.alloc(600 << 10));
    await held(1800 << 10);
    expect(await sender(BIG).status).toBe("503 retry-after");
    // In the middle of a body that would have fitted when it began.
    full[0]!.socket.write(Buffer.alloc(400 << 10));
    expect(await full[0]!.status).toBe("503 retry-after");
    expect(gateway.stats().bodyBytes).toBeLessThanOrEqual(ROOM);
    expect(await send(good)).toBe("204");
    expect(rejected).toEqual(["remote_write overloaded", "remote_write overloaded"]);
    // Its connection goes on with the next request, once the rest of the body has come.
    full[0]!.socket.write(Buffer.alloc(24 << 10));
    const again = new Promise<string>((resolve) => full[0]!.socket.once("data", (data) => resolve(data.toString())));
    full[0]!.socket.write("GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n");
    expect(await again).toContain("200 OK");
    for (const { socket } of full) socket.destroy();
    while (gateway.stats().bodyBytes > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it("bodies that come too slowly lose their places as soon as somebody has none", async () => {
    const { clock, sender, held, send } = await start();
    const slow = Array.from({ length: 3 }, () => sender(BIG));
    for (const { socket } of slow) socket.write(Buffer.alloc(600 << 10));
    await held(1800 << 10);
    clock.now += HOUR;
    const small = sender(`content-length: ${good.length}`);
    expect(await send(good)).toBe("204");
    // Does not fit beside them.
    const large = sender(BIG);
    for (const { status } of slow) expect(await status).toBe("503 retry-after");
    // No snappy.
    large.socket.write(Buffer.alloc(MAX_BODY, 255));
    expect(await large.status).toBe("400");
    small.socket.write(good);
    expect(await small.status).toBe("204");
  });

  it("pieces of one byte count for what they take", async () => {
    const { sender, held } = await start();
    const { socket } = sender("transfer-encoding: chunked");
    socket.write("1\r\na\r\n".repeat(1_000));
    await held(100_000);
  });

  it("a body of unknown length, and one over the limit", async () => {
    const { sender } = await start();
    const chunked = sender("transfer-encoding: chunked");
    chunked.socket.write(`${good.length.toString(16)}\r\n`);
    chunked.socket.write(good);
    chunked.socket.write("\r\n0\r\n\r\n");
    expect(await chunked.status).toBe("204");
    expect(await sender(`content-length: ${MAX_BODY + 1}`).status).toBe("413");
    const endless = sender("transfer-encoding: chunked");
    endless.socket.write(`${(2 * MAX_BODY).toString(16)}\r\n`);
    endless.socket.write(Buffer.alloc(MAX_BODY + 1));
    expect(await endless.status).toBe("413");
  });
});
