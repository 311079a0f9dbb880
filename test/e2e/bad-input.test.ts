import { readFileSync } from "node:fs";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { compress } from "snappyjs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type TestSeries, writeRequestBytes } from "../streams/support/write-request-bytes.ts";
import { halt } from "../support/halt.ts";
import { WRITE_HEADERS } from "./prometheus-data.ts";
import { killLeftOvers, processesOf, push, query, startTocsin, type Tocsin, until } from "./tocsin.ts";

// What senders and clients get wrong: a clear answer, a counted reason, and nothing else harmed.

afterAll(killLeftOvers);

const now = () => Date.now();
const snappy = (bytes: Uint8Array) => new Uint8Array(compress(bytes));
const valid = (name: string): TestSeries => ({ labels: [["__name__", name]], samples: [{ ts: now(), value: 1 }] });

async function post(url: string, body: string | Buffer | undefined, headers: Record<string, string>) {
  const answer = await fetch(url, { method: "POST", headers, ...(body === undefined ? {} : { body }) });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

async function metric(tocsin: Tocsin, name: string, labels: Record<string, string> = {}): Promise<number> {
  const text = await (await fetch(`${tocsin.url}/metrics`)).text();
  let sum = 0;
  for (const line of text.split("\n")) {
    const m = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (m === null || m[1] !== name) continue;
    if (Object.entries(labels).every(([k, v]) => (m[2] ?? "").includes(`${k}="${v}"`))) sum += Number(m[3]);
  }
  return sum;
}

describe("bad input", () => {
  let tocsin: Tocsin;
  beforeAll(async () => {
    tocsin = await startTocsin({
      config: "agent: { enabled: false }\nlimits: { max_body_size: 1MB, max_decoded_size: 2MB }\n",
    });
  });
  afterAll(() => tocsin?.stop());
  // Whatever came before: the server goes on.
  afterEach(async () => {
    expect((await push(tocsin.url, [{ labels: { __name__: "alive" }, samples: [[now(), 1]] }])).status).toBe(204);
  });

  const good = writeRequestBytes([valid("good")]);
  const badUtf8: TestSeries = { labels: [["__name__", Uint8Array.of(0xff, 0xfe)]], samples: [{ ts: now() }] };
  it.each<[string, Uint8Array, number, string, RegExp]>([
    ["an empty body", new Uint8Array(0), 400, "malformed_snappy", /not a Snappy block/],
    ["no Snappy", Buffer.from("hello world, this is text"), 400, "malformed_snappy", /not a Snappy block: /],
    ["cut Snappy", snappy(good).slice(0, -5), 400, "malformed_snappy", /not a Snappy block: /],
    [
      "a Snappy bomb",
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0),
      413,
      "body_too_large",
      /4294967295 bytes after decompression/,
    ],
    [
      "no protobuf",
      snappy(Buffer.from("not protobuf")),
      400,
      "malformed_protobuf",
      /not a remote write message: at byte \d+/,
    ],
    ["cut protobuf", snappy(good.slice(0, -3)), 400, "malformed_protobuf", /not a remote write message: at byte \d+/],
    ["no UTF-8", snappy(writeRequestBytes([badUtf8])), 400, "invalid_utf8", /1 sample refused \(invalid_utf8\)/],
  ])("remote write: %s", async (_what, body, status, reason, text) => {
    const counted = { protocol: "remote_write", reason };
    const before = await metric(tocsin, "tocsin_samples_rejected_total", counted);
    const answer = await post(`${tocsin.url}/api/v1/write`, Buffer.from(body), WRITE_HEADERS);
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(text);
    expect(await metric(tocsin, "tocsin_samples_rejected_total", counted)).toBe(before + 1);
  });

  it.each<[string, string, string | RegExp]>([
    [
      "no JSON",
      '{"series":[\n  {"labels": {"__name__": "x"}, "samples": [[1, 2],]}\n]}',
      /not JSON: line 2 column 52: unexpected \]/,
    ],
    ["an end too soon", '{"series":[{"labels"', /not JSON: line 1 column 21: unexpected end of the text/],
    ["nothing", "", /not JSON/],
    ["another shape", '{"serie":[]}', "series: expected an array"],
    [
      "a number for a label",
      '{"series":[{"labels":{"__name__":"x","a":1},"samples":[]}]}',
      'series[0].labels["a"]: expected a string, got 1',
    ],
    [
      "a text for a value",
      '{"series":[{"labels":{"__name__":"x"},"samples":[[1,"one"]]}]}',
      "series[0].samples[0][1]: expected a number",
    ],
    [
      "a text for a time",
      '{"series":[{"labels":{"__name__":"x"},"samples":[[1,1],["now",1]]}]}',
      "series[0].samples[1][0]: expected Unix seconds",
    ],
  ])("JSON: %s", async (_what, body, text) => {
    const counted = { protocol: "json", reason: "malformed_json" };
    const before = await metric(tocsin, "tocsin_samples_rejected_total", counted);
    const answer = await post(`${tocsin.url}/api/v1/ingest`, body, { "content-type": "application/json" });
    expect(answer.status).toBe(400);
    if (typeof text === "string") expect(answer.text).toContain(text);
    else expect(answer.text).toMatch(text);
    expect(await metric(tocsin, "tocsin_samples_rejected_total", counted)).toBe(before + 1);
  });

  it("JSON: broken and too large gzip", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const send = (body: Uint8Array) => post(`${tocsin.url}/api/v1/ingest`, Buffer.from(body), headers);
    expect(await send(Buffer.from("no gzip"))).toMatchObject({ status: 400, text: expect.stringContaining("as gzip") });
    const bomb = await send(gzipSync(Buffer.alloc(100 << 20, " ")));
    expect(bomb).toMatchObject({ status: 413, text: expect.stringContaining("limits.max_decoded_size") });
    const fine = gzipSync(JSON.stringify({ series: [{ labels: { __name__: "zipped" }, samples: [[now(), 5]] }] }));
    expect((await send(fine)).status).toBe(204);
  });

  it.each([
    [
      "write",
      { "content-type": "text/plain" },
      "Content-Type text/plain is not supported here, send application/x-protobuf",
    ],
    ["write", { "content-type": "application/x-protobuf;proto=io.prometheus.write.v3.Request" }, "write.v2.Request or"],
    ["write", { "content-type": "application/x-protobuf", "content-encoding": "zstd" }, "Content-Encoding zstd"],
    ["ingest", { "content-type": "application/x-protobuf" }, "send application/json"],
    ["ingest", { "content-type": "application/json", "content-encoding": "br" }, "send gzip or none"],
  ])("415 for another content type: %s %o", async (path, headers, text) => {
    const protocol = path === "write" ? "remote_write" : "json";
    const counted = { protocol, reason: "unsupported_media_type" };
    const before = await metric(tocsin, "tocsin_samples_rejected_total", counted);
    const answer = await post(`${tocsin.url}/api/v1/${path}`, "{}", headers as unknown as Record<string, string>);
    expect(answer.status).toBe(415);
    expect(answer.text).toContain(text);
    expect(await metric(tocsin, "tocsin_samples_rejected_total", counted)).toBe(before + 1);
  });

  it.each(["a/b", "..", "ü", "x".repeat(65), "a b"])("a tenant that cannot be: %s", async (tenant) => {
    const headers = { "x-scope-orgid": Buffer.from(tenant).toString("latin1") };
    const before = await metric(tocsin, "tocsin_samples_rejected_total", { reason: "invalid_tenant" });
    const write = await post(`${tocsin.url}/api/v1/write`, Buffer.from(snappy(good)), { ...WRITE_HEADERS, ...headers });
    expect(write).toMatchObject({ status: 400, text: expect.stringContaining("invalid X-Scope-OrgID") });
    expect(await metric(tocsin, "tocsin_samples_rejected_total", { reason: "invalid_tenant" })).toBe(before + 1);
    for (const path of ["query?query=1", "labels", "series?match[]=up", "label/a/values"]) {
      const read = await fetch(`${tocsin.url}/api/v1/${path}`, { headers });
      expect(read.status, path).toBe(400);
      expect(await read.json()).toMatchObject({ status: "error", errorType: "bad_data" });
    }
  });

  it("keeps the good samples of a remote write, and names the first of each kind of bad one", async () => {
    const series: TestSeries[] = [
      valid("kept_a"),
      { labels: [["job", "nameless"]], samples: [{ ts: now() }, { ts: now() - 1 }] },
      {
        labels: [
          ["__name__", "twice"],
          ["a", "1"],
          ["a", "2"],
        ],
        samples: [{ ts: now() }],
      },
      { labels: [["__name__", "kept_b"]], samples: [{ ts: now() + 86_400_000 }, { ts: now(), value: 7 }] },
      { labels: [["__name__", "native"]], samples: [], histograms: [Uint8Array.of(8, 1)] },
    ];
    const answer = await post(
      `${tocsin.url}/api/v1/write`,
      Buffer.from(snappy(writeRequestBytes(series))),
      WRITE_HEADERS,
    );
    expect(answer.status).toBe(400);
    expect(answer.text.trim().split("\n").sort()).toEqual([
      expect.stringMatching(/^1 sample refused \(duplicate_label_name\): .*series 2\b.*"a"/),
      expect.stringMatching(/^1 sample refused \(invalid_histogram\): series 4: .*/),
      expect.stringMatching(/^1 sample refused \(too_far_in_future\): .*kept_b/),
      expect.stringMatching(/^2 samples refused \(missing_metric_name\): .*series 1\b/),
    ]);
    await until(
      async () => (await query(tocsin.url, '{__name__=~"kept_.|twice|native"}')).length === 2,
      "the good are kept",
    );
    expect((await query(tocsin.url, "kept_b"))[0]?.value[1]).toBe("7");
  });

  it("keeps the good samples of a JSON push", async () => {
    const answer = await push(tocsin.url, [
      { labels: { __name__: "json_kept" }, samples: [[now(), 1]] },
      { labels: { no: "name" }, samples: [[now(), 1]] },
    ]);
    expect(answer).toMatchObject({
      status: 400,
      text: expect.stringMatching(/^1 sample refused \(missing_metric_name\)/),
    });
    await until(async () => (await query(tocsin.url, "json_kept")).length === 1, "it is kept");
  });

  it("refuses a large body from its length, before it is sent", async () => {
    const before = await metric(tocsin, "tocsin_samples_rejected_total", { reason: "body_too_large" });
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const r = httpRequest(`${tocsin.url}/api/v1/write`, {
        method: "POST",
        headers: { ...WRITE_HEADERS, "content-length": String(10 ** 9) },
      });
      r.once("response", resolve).once("error", reject);
      r.flushHeaders();
    });
    expect(answer.statusCode).toBe(413);
    const text = Buffer.concat(await answer.toArray()).toString();
    expect(text).toContain("limits.max_body_size (1048576 bytes)");
    answer.destroy();
    expect(await metric(tocsin, "tocsin_samples_rejected_total", { reason: "body_too_large" })).toBe(before + 1);
  });

  it("refuses a large body without a length as soon as it is over, and does not hold it", async () => {
    const peak = () =>
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${serverPid(tocsin)}/status`, "utf8"))?.[1]) / 1024;
    const before = peak();
    const piece = Buffer.alloc(1 << 16, 0x61);
    let sent = 0;
    const statuses = await Promise.all(
      Array.from(
        { length: 8 },
        () =>
          new Promise<number>((resolve) => {
            const r = httpRequest(`${tocsin.url}/api/v1/ingest`, {
              method: "POST",
              headers: { "content-type": "application/json", "transfer-encoding": "chunked" },
            });
            let status = 0;
            r.once("response", (answer) => {
              status = answer.statusCode ?? 0;
              answer.resume();
            });
            r.once("close", () => resolve(status)).on("error", () => {});
            const more = () => {
              for (let i = 0; !r.destroyed && status === 0 && i < 16; i++) {
                sent += piece.length;
                if (!r.write(piece)) {
                  r.once("drain", more);
                  return;
                }
              }
              if (r.destroyed || status !== 0 || sent > 1 << 30) r.destroy();
              else setImmediate(more);
            };
            more();
          }),
      ),
    );
    expect(statuses.every((status) => status === 413 || status === 0)).toBe(true);
    expect(statuses).toContain(413);
    expect(peak() - before, "MiB more at the peak").toBeLessThan(100);
  });

  it("survives a sender that stops in the middle, and one that speaks no HTTP", async () => {
    const { port } = new URL(tocsin.url);
    const raw = (text: string, end: boolean) =>
      new Promise<string>((resolve, reject) => {
        let got = "";
        const socket = connect(Number(port), "127.0.0.1", () => {
          socket.write(text);
          if (end) setImmediate(() => socket.destroy());
        });
        socket.on("data", (d) => {
          got += d;
        });
        socket.once("close", () => resolve(got)).once("error", reject);
      });
    await raw("POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nabc", true);
    expect(await raw("GARBAGE\r\n\r\n", false)).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw("GET /api/v1/query?query=1 HTTP/1.1\r\nhost: x\r\nx: \u0000\r\n\r\n", false)).toMatch(
      /^HTTP\/1.1 400 /,
    );
  });
});

function serverPid(tocsin: Tocsin): number {
  const main = processesOf(tocsin.dir).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("src/main.ts"),
  );
  if (main === undefined) throw new Error("no main process");
  return main;
}

function natsPid(tocsin: Tocsin): number {
  const nats = processesOf(tocsin.dir).find((pid) =>
    readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("nats-server"),
  );
  if (nats === undefined) throw new Error("no nats-server");
  return nats;
}

describe("overload and clients that go", () => {
  let tocsin: Tocsin;
  beforeAll(async () => {
    tocsin = await startTocsin();
    const samples = Array.from({ length: 600 }, (_, i) => [now() - i * 1000, i] as const);
    const series = Array.from({ length: 100 }, (_, i) => ({ labels: { __name__: "load", i: String(i) }, samples }));
    expect((await push(tocsin.url, series)).status).toBe(204);
    await until(async () => (await query(tocsin.url, "count(load)"))[0]?.value[1] === "100", "the samples are stored");
  });

  // Some seconds of work.
  const SLOW = "sum(quantile_over_time(0.5, load[10m:4ms]))";

  it("stops a query when its client goes", async () => {
    const gone = new AbortController();
    const asked = fetch(`${tocsin.url}/api/v1/query?${new URLSearchParams({ query: SLOW })}`, { signal: gone.signal });
    const failed = expect(asked).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 100));
    gone.abort();
    await failed;
    const canceled = () => metric(tocsin, "tocsin_query_duration_seconds_count", { outcome: "canceled" });
    await until(async () => (await canceled()) === 1, "the query is canceled");
  });

  it("ends a query at its timeout", async () => {
    const answer = await fetch(`${tocsin.url}/api/v1/query?${new URLSearchParams({ query: SLOW, timeout: "50ms" })}`);
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({
      status: "error",
      errorType: "timeout",
      error: expect.stringMatching(/^query timed out in expression evaluation \(after /),
    });
  });

  it("answers 503 with Retry-After, never 429, when the bus takes nothing", async () => {
    const nats = natsPid(tocsin);
    await halt(nats);
    try {
      const samples = Array.from({ length: 150_000 }, (_, i) => ({ ts: now() - i, value: i }));
      const body = snappy(writeRequestBytes([{ labels: [["__name__", "flood"]], samples }]));
      const answers = Array.from({ length: 60 }, () =>
        post(`${tocsin.url}/api/v1/write`, Buffer.from(body), WRITE_HEADERS),
      );
      const all = await Promise.all(answers);
      expect(all.map((a) => a.status)).toEqual(all.map(() => 503));
      for (const a of all) expect(Number(a.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await metric(tocsin, "tocsin_samples_rejected_total", { reason: "overloaded" })).toBeGreaterThan(0);
      expect(await metric(tocsin, "tocsin_samples_rejected_total", { reason: "bus_unavailable" })).toBeGreaterThan(0);
    } finally {
      process.kill(nats, "SIGCONT");
    }
    await until(async () => {
      const again = await push(tocsin.url, [{ labels: { __name__: "again" }, samples: [[now(), 1]] }]);
      return again.status === 204;
    }, "samples are taken again");
  }, 120_000);

  it("answers what is in flight when it stops, and lets idle keep-alive clients go", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const ask = (expr: string, headers: Record<string, string> = {}) =>
      new Promise<{ status: number; connection: string | undefined; text: string }>((resolve, reject) => {
        const url = `${tocsin.url}/api/v1/query?${new URLSearchParams({ query: expr })}`;
        httpRequest(url, { agent, headers }, async (answer) => {
          const text = Buffer.concat(await answer.toArray()).toString();
          resolve({ status: answer.statusCode ?? 0, connection: answer.headers.connection, text });
        })
          .once("error", reject)
          .end();
      });
    // Idle connections, kept by the client.
    expect((await Promise.all([ask("1"), ask("2")])).map((a) => a.connection)).toEqual(["keep-alive", "keep-alive"]);
    // One that takes long in the shards, and one that comes with the signal, right behind a write that they have not read.
    const inFlight = ask("sum(quantile_over_time(0.5, load[10m:10ms]))");
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { position } = await push(tocsin.url, [{ labels: { __name__: "again" }, samples: [[now(), 3]] }]);
    const last = ask("last_over_time(again[1h])", { "x-tocsin-read-after": position });
    await new Promise((resolve) => setTimeout(resolve, 2));
    const stopped = tocsin.stop();
    for (const answer of await Promise.all([inFlight, last])) {
      expect(answer).toMatchObject({ status: 200, connection: "close" });
      expect(JSON.parse(answer.text)).toMatchObject({ status: "success" });
      expect(JSON.parse(answer.text).warnings).toBeUndefined();
    }
    expect(JSON.parse((await last).text).data.result[0].value[1]).toBe("3");
    const start = performance.now();
    expect(await stopped).toBe(0);
    expect(performance.now() - start).toBeLessThan(8_000);
    agent.destroy();
  });
});
