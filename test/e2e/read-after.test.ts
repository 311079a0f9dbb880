import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killLeftOvers, startTocsin, type Tocsin, until } from "./tocsin.ts";

let tocsin: Tocsin;
beforeAll(async () => {
  tocsin = await startTocsin({
    config: "agent: { enabled: false }\nstorage: { partitions: 2, retention: { raw: 30d } }\n",
  });
}, 60_000);
afterAll(killLeftOvers);

const SERIES = 20;

/** Writes a sample of each of some series; resolves to the position token. */
async function write(name: string, value: number, headers: Record<string, string> = {}, time = Date.now()) {
  const series = Array.from({ length: SERIES }, (_, s) => ({
    labels: { __name__: name, s: String(s) },
    samples: [[time, value]],
  }));
  const response = await fetch(`${tocsin.url}/api/v1/ingest`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ series }),
  });
  return { status: response.status, token: response.headers.get("x-tocsin-position"), text: await response.text() };
}

interface ApiAnswer {
  readonly status: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

async function get(path: string, token?: string): Promise<{ status: number; body: ApiAnswer }> {
  const response = await fetch(
    `${tocsin.url}${path}`,
    token === undefined ? {} : { headers: { "x-tocsin-read-after": token } },
  );
  return { status: response.status, body: (await response.json()) as ApiAnswer };
}

const instant = (query: string) => `/api/v1/query?query=${encodeURIComponent(query)}`;

describe("read-your-writes", () => {
  it("a query with the token of a write sees all of it, each time, while others write", {
    timeout: 60_000,
  }, async () => {
    let busy = true;
    const others = Array.from({ length: 4 }, async (_, k) => {
      while (busy) await write(`other_${k}`, Math.random());
    });
    for (let i = 1; i <= 60; i++) {
      const { status, token } = await write("mine", i);
      expect(status).toBe(204);
      expect(token).toMatch(/^0:\d+(@[0-9a-f]{8})?,1:\d+(@[0-9a-f]{8})?$/);
      const { body } = await get(instant("sum(mine)"), token as string);
      expect(body.data.result[0]?.value[1]).toBe(String(i * SERIES));
    }
    busy = false;
    await Promise.all(others);
  });

  it("so do the calls that read labels and series", async () => {
    for (let i = 0; i < 10; i++) {
      const { token } = await write(`new_metric_${i}`, 1);
      const values = await get("/api/v1/label/__name__/values", token as string);
      expect(values.body.data).toContain(`new_metric_${i}`);
      const series = await get(`/api/v1/series?match[]=new_metric_${i}`, token as string);
      expect(series.body.data).toHaveLength(SERIES);
    }
  });

  it("what is not reached in time is 503, never an answer without it", async () => {
    const { token } = await write("mine", 1);
    const far = (token as string).replace(/^0:\d+/, "0:1000000");
    const start = performance.now();
    const { status, body } = await get(`${instant("mine")}&timeout=300ms`, far);
    expect(performance.now() - start).toBeGreaterThanOrEqual(290);
    expect({ status, type: body.errorType }).toEqual({ status: 503, type: "timeout" });
    expect(body.error).toContain("partition 0");
  });

  it("the token of a stream that was made anew is refused at once", async () => {
    const { token } = await write("mine", 1);
    const other = (token as string).replace(/@[0-9a-f]{8}/, "@00000000");
    const { status, body } = await get(instant("mine"), other);
    expect({ status, type: body.errorType }).toEqual({ status: 422, type: "execution" });
  });

  it.each(["x", "0", "0:", "7:1", "0:1,", "0:1@zz"])("%j is not a token: 400", async (token) => {
    const { status, body } = await get(instant("mine"), token);
    expect({ status, type: body.errorType }).toEqual({ status: 400, type: "bad_data" });
    expect(body.error).toContain("X-Tocsin-Read-After");
  });
});

describe("backfill over HTTP", () => {
  it("takes history of any age that is kept, and refuses what is not with the reason", async () => {
    const now = Date.now();
    const old = await write("history", 7, { "x-tocsin-backfill": "1" }, now - 20 * 86_400_000);
    expect(old.status).toBe(204);
    const older = await write("history", 7, { "x-tocsin-backfill": "1" }, now - 31 * 86_400_000);
    expect(older.status).toBe(400);
    expect(older.text).toMatch(/^20 samples refused \(beyond_retention\)/);
    const fresh = await write("history", 7, {}, now - 31 * 86_400_000);
    expect({ status: fresh.status, text: fresh.text }).toEqual({ status: 400, text: older.text });
    expect((await write("history", 7, { "x-tocsin-backfill": "yes" })).status).toBe(400);
    await until(async () => {
      const time = (now - 20 * 86_400_000) / 1_000 + 1;
      const { body } = await get(`${instant("count(history)")}&time=${time}`);
      return body.data.result[0]?.value[1] === String(SERIES);
    }, "the history is there");
  });
});
