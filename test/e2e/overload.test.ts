import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { afterAll, expect, it } from "vitest";
import { writeRequestBytes } from "../streams/support/write-request-bytes.ts";
import { killLeftOvers, processesOf, query, startTocsin, until } from "./tocsin.ts";

afterAll(killLeftOvers);

const SENDERS = 200;
/** Series with long labels in each request, to make its body large. */
const FILLER = 400;
const FLOOD_MS = 10_000;
const HEADERS = { "content-type": "application/x-protobuf", "content-encoding": "snappy" };

interface Answer {
  readonly status: number;
  readonly retryAfter: string | undefined;
}

const agent = new Agent({ keepAlive: true, maxSockets: SENDERS });

function post(url: string, body: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { ...HEADERS, "content-length": body.length };
    const req = request(url, { method: "POST", agent, headers }, (res) => {
      res.resume();
      res.on("end", () => resolve({ status: res.statusCode ?? 0, retryAfter: res.headers["retry-after"] }));
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}

/** Snappy's block format, without compressing: the sender is to be cheap. */
function literal(parts: readonly Uint8Array[]): Buffer {
  const raw = Buffer.concat(parts);
  const pieces: Buffer[] = [];
  for (let n = raw.length; ; n >>>= 7) {
    pieces.push(Buffer.of(n > 127 ? (n & 127) | 128 : n));
    if (n <= 127) break;
  }
  for (let at = 0; at < raw.length; at += 65_536) {
    const piece = raw.subarray(at, at + 65_536);
    pieces.push(Buffer.of(61 << 2, (piece.length - 1) & 255, (piece.length - 1) >> 8), piece);
  }
  return Buffer.concat(pieces);
}

const rssOf = (pid: number) =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const commandOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0] ?? "";

it("while the bus stands still and 240 MB are sent at once: bounded memory, 503 with Retry-After, nothing acknowledged lost", async () => {
  const tocsin = await startTocsin({ config: "agent: { enabled: false }\nstorage: { partitions: 1 }\n" });
  const time = Date.now() - 600_000;
  const filler = writeRequestBytes(
    Array.from({ length: FILLER }, (_, s) => ({
      labels: [
        ["__name__", "filler"],
        ["s", String(s)],
        ["text", String(s % 10).repeat(3_000)],
      ],
      samples: [{ ts: time, value: 1 }],
    })),
  );
  /** A body whose one sample tells it from the others. */
  const bodyOf = (number: number) => {
    const own = {
      labels: [["__name__", "flood"]] as [string, string][],
      samples: [{ ts: time + number, value: number }],
    };
    return literal([writeRequestBytes([own]), filler]);
  };
  expect((await post(`${tocsin.url}/api/v1/write`, bodyOf(0))).status).toBe(204);
  const bus = processesOf(tocsin.dir).find((pid) => commandOf(pid).endsWith("nats-server")) as number;

  const acknowledged = new Set<number>([0]);
  const answers = new Map<number, number>();
  let withoutRetryAfter = 0;
  let next = 1;
  const before = rssOf(tocsin.pid);
  let highest = before;
  const watch = setInterval(() => {
    highest = Math.max(highest, rssOf(tocsin.pid));
  }, 50);
  const end = performance.now() + FLOOD_MS;
  const pause = setTimeout(() => process.kill(bus, "SIGSTOP"), 1_500);
  const goOn = setTimeout(() => process.kill(bus, "SIGCONT"), 5_500);
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      while (performance.now() < end) {
        const number = next++;
        const { status, retryAfter } = await post(`${tocsin.url}/api/v1/write`, bodyOf(number));
        answers.set(status, (answers.get(status) ?? 0) + 1);
        if (status === 204) acknowledged.add(number);
        else {
          if (retryAfter === undefined) withoutRetryAfter++;
          await new Promise((resolve) => setTimeout(resolve, 200));
        }
      }
    }),
  );
  clearTimeout(pause);
  clearTimeout(goOn);
  clearInterval(watch);
  agent.destroy();

  expect([...answers.keys()].sort()).toEqual([204, 503]);
  expect(withoutRetryAfter).toBe(0);
  expect(acknowledged.size).toBeGreaterThan(100);
  const metrics = await (await fetch(`${tocsin.url}/metrics`)).text();
  expect(metrics).toMatch(/tocsin_gateway_requests_refused_total\{.*reason="overloaded".*\} [1-9]/);
  // 128 MiB may wait. What is beyond is what the runtime has of them in its own buffers, and has not given back yet.
  expect(highest - before).toBeLessThan(420);

  const found = new Set<number>();
  await until(async () => {
    const response = await fetch(`${tocsin.url}/api/v1/query?query=${encodeURIComponent("flood[20m]")}`);
    const answer = (await response.json()) as { data: { result: { values: [number, string][] }[] } };
    for (const [, value] of answer.data.result[0]?.values ?? []) found.add(Number(value));
    return [...acknowledged].every((n) => found.has(n));
  }, "everything acknowledged is there");
  expect(await query(tocsin.url, "count(filler)", time / 1_000 + 1)).toMatchObject([
    { value: [expect.anything(), String(FILLER)] },
  ]);
  await tocsin.stop();
}, 120_000);
