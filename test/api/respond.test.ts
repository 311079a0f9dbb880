import { gunzipSync, zstdDecompressSync } from "node:zlib";
import Fastify from "fastify";
import { describe, expect, it } from "vitest";
import { encodingFor, sendData } from "../../src/api/respond.ts";

describe("encodingFor", () => {
  it.each([
    [undefined, "identity"],
    ["", "identity"],
    ["br", "identity"],
    ["gzip", "gzip"],
    ["GZIP", "gzip"],
    ["gzip, deflate", "gzip"],
    ["gzip;q=0", "identity"],
    ["gzip; q=0.0, zstd;q=0", "identity"],
    ["zstd", "zstd"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["gzip;q=0.9, zstd;q=0.5", "gzip"],
    ["zstd;q=nonsense, gzip;q=0.1", "zstd"],
    ["x-gzip", "identity"],
    [["gzip", "zstd;q=0.1"], "gzip"],
  ] as const)("%j: %s", (accept, want) => {
    expect(encodingFor(accept)).toBe(want);
  });
});

describe.each([
  ["a long answer", 5_000, 40_000],
  ["an answer sent whole", 1_000, 8_000],
])("%s", (_, values, most) => {
  const data = Array.from({ length: values }, (_, i) => `value ${i}`);
  const app = Fastify();
  app.get("/", (request, reply) => sendData(request, reply, data));

  it.each([
    ["gzip", gunzipSync],
    ["zstd", zstdDecompressSync],
    ["identity", (b: Buffer) => b],
  ] as const)("is sent in %s", async (encoding, decode) => {
    const answer = await app.inject({ url: "/", headers: { "accept-encoding": encoding } });
    expect(answer.headers["content-encoding"] ?? "identity").toBe(encoding);
    expect(answer.headers.vary).toBe("Accept-Encoding");
    expect(JSON.parse(decode(answer.rawPayload).toString())).toEqual({ status: "success", data });
    if (encoding !== "identity") expect(answer.rawPayload.length).toBeLessThan(most);
  });
});

it("a short answer is sent as it is", async () => {
  const app = Fastify();
  app.get("/", (request, reply) => sendData(request, reply, ["short"]));
  const answer = await app.inject({ url: "/", headers: { "accept-encoding": "gzip" } });
  expect(answer.headers["content-encoding"]).toBeUndefined();
  expect(answer.headers["content-length"]).toBe(String(answer.rawPayload.length));
  expect(answer.json()).toEqual({ status: "success", data: ["short"] });
});
