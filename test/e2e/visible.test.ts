import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { killLeftOvers, startTocsin, type Tocsin } from "./tocsin.ts";

let tocsin: Tocsin;
beforeAll(async () => {
  tocsin = await startTocsin({ config: "agent: { enabled: false }\nstorage: { partitions: 2 }\n" });
});
afterAll(killLeftOvers);

async function write(name: string, value: number, series = 3): Promise<number> {
  const body = {
    series: Array.from({ length: series }, (_, s) => ({
      labels: { __name__: name, s: String(s) },
      samples: [[Date.now(), value]],
    })),
  };
  const response = await fetch(`${tocsin.url}/api/v1/ingest`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
  return response.status;
}

/** The sum of a metric's newest samples; undefined without any. */
async function sum(name: string): Promise<number | undefined> {
  const response = await fetch(`${tocsin.url}/api/v1/query?query=${encodeURIComponent(`sum(${name})`)}`);
  const { data } = (await response.json()) as {
    data: { result: readonly { readonly value: readonly [number, string] }[] };
  };
  const value = data.result[0]?.value[1];
  return value === undefined ? undefined : Number(value);
}

describe("visible upon acknowledgement", () => {
  it("a query right behind the 204 sees the write, 500 times", async () => {
    const missed: number[] = [];
    for (let i = 1; i <= 500; i++) {
      expect(await write("mine", i)).toBe(204);
      const seen = await sum("mine");
      if (seen !== 3 * i) missed.push(i);
    }
    expect(missed).toEqual([]);
  });

  it("so do queries for series and labels that were not there before", async () => {
    for (let i = 0; i < 50; i++) {
      await write(`fresh_${i}`, 1);
      const response = await fetch(`${tocsin.url}/api/v1/series?match[]=fresh_${i}`);
      const { data } = (await response.json()) as { data: unknown[] };
      expect(data).toHaveLength(3);
    }
  });

  it("while others write, each writer sees its own", async () => {
    const writers = Array.from({ length: 4 }, async (_, w) => {
      for (let i = 1; i <= 60; i++) {
        await write(`writer_${w}`, i);
        expect(await sum(`writer_${w}`)).toBe(3 * i);
      }
    });
    await Promise.all(writers);
  });
});
