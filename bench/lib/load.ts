import { Agent, request } from "node:http";
import type { Server } from "./servers.ts";

export interface LoadResult {
  readonly seconds: number;
  /** Requests that were answered with "send again later" and were sent again. */
  readonly retried: number;
}

/** Posts every body once, `inFlight` at a time over kept-alive connections; a 429 or 503 is sent again, any other failure throws. */
export async function postAll(
  url: string,
  bodies: Iterable<Buffer> | AsyncIterable<Buffer>,
  inFlight: number,
): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: inFlight });
  const target = new URL("/api/v1/write", url);
  const pending = Symbol.iterator in bodies ? bodies[Symbol.iterator]() : bodies[Symbol.asyncIterator]();
  let retried = 0;
  const start = performance.now();
  const worker = async () => {
    for (let next = await pending.next(); next.done !== true; next = await pending.next()) {
      for (;;) {
        const { status, text } = await post(agent, target, next.value);
        if (status >= 200 && status < 300) break;
        if (status !== 429 && status !== 503) throw new Error(`${status}: ${text}`);
        retried++;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  agent.destroy();
  return { seconds: (performance.now() - start) / 1000, retried };
}

function post(agent: Agent, url: URL, body: Buffer): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/x-protobuf",
      "content-encoding": "snappy",
      "content-length": body.length,
      "x-prometheus-remote-write-version": "0.1.0",
    };
    const req = request(url, { method: "POST", agent, headers }, (res) => {
      let text = "";
      res.setEncoding("utf8");
      res.on("data", (piece: string) => {
        text += piece;
      });
      res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}

export async function queryScalar(url: string, query: string, time: number): Promise<number> {
  const params = new URLSearchParams({ query, time: String(time), nocache: "1" });
  const response = await fetch(`${url}/api/v1/query?${params}`);
  const body = (await response.json()) as { data: { result: { value: [number, string] }[] } };
  return Number(body.data?.result?.[0]?.value[1] ?? 0);
}

/** Asks until the answer is at least `expected`; returns the last answer when the deadline has passed. */
export async function untilVisible(
  url: string,
  query: string,
  time: number,
  expected: number,
  deadlineMs: number,
): Promise<number> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const got = await queryScalar(url, query, time);
    if (got >= expected || performance.now() > end) return got;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/**
 * Until what was acknowledged has been worked in, so that its cost counts: Tocsin's streams are consumed; the peers, who
 * do not tell, get the two seconds in which they write their first parts.
 */
export async function settled(server: Server): Promise<void> {
  if (server.name !== "tocsin") {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    return;
  }
  for (;;) {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const lags = [...text.matchAll(/^tocsin_stream_lag_messages\{.*\} (\d+)$/gm)];
    if (lags.length > 0 && lags.every((m) => m[1] === "0")) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
