import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CALLS, PARAMETERS } from "../../src/api/openapi-calls.ts";
import { wholeServer } from "./routes/whole-server.ts";

const app = wholeServer();
afterAll(() => app.close());

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly in?: string; readonly name?: string }[];
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

async function document(query = ""): Promise<Document> {
  const answer = await app.inject(`/api/v1/openapi.yaml${query}`);
  expect(answer.statusCode).toBe(200);
  expect(answer.headers["content-type"]).toBe("application/yaml; charset=utf-8");
  return parse(answer.body) as Document;
}

/** What the page and its files are served under: no calls. The router's picture has /ui/* as /*. */
const PAGE = new Set(["/", "/graph", "/alerts", "/targets", "/*"]);

/** Every route as `METHOD path`, read from the router's own picture of itself. */
function routes(): string[] {
  const found: string[] = [];
  const above: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split("\n")) {
    const m = /^((?:[│ ] {3})*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?$/.exec(line);
    if (m === null) continue;
    const depth = (m[1] as string).length / 4;
    above.length = depth;
    above.push(m[2] as string);
    const path = above.join("");
    for (const method of (m[3] ?? "").split(", ")) if (method !== "") found.push(`${method} ${path}`);
  }
  return found.filter((route) => !PAGE.has(route.split(" ")[1] as string));
}

describe("/api/v1/openapi.yaml", () => {
  it("has every call of the router, and no other", async () => {
    const { paths } = await document();
    const told = Object.entries(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(routes().length).toBeGreaterThan(40);
    expect(told.sort()).toEqual(routes().sort());
  });

  it("is of the version that is asked for, and tells Tocsin's", async () => {
    expect(await document()).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
    expect((await document("?openapi_version=3.2")).openapi).toBe("3.2.0");
    expect((await app.inject("/api/v1/openapi.yaml?openapi_version=2")).statusCode).toBe(400);
  });

  it("names each operation once, and every part of a path", async () => {
    const { paths } = await document();
    const operations = Object.values(paths).flatMap((item) => Object.values(item));
    const ids = operations.map((o) => o.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, item] of Object.entries(paths)) {
      const parts = [...path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]);
      for (const { parameters } of Object.values(item)) {
        expect(parameters.filter((p) => p.in === "path").map((p) => p.name)).toEqual(parts);
      }
    }
  });

  it("the page for people has every call too", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/http-api.md"), "utf8");
    const named = (path: string) => page.includes(path.replaceAll(/\{(\w+)\}/g, "<$1>"));
    expect(CALLS.map((c) => c.path).filter((path) => !named(path))).toEqual([]);
  });

  it("describes no parameter that no call has", () => {
    const used = new Set(CALLS.flatMap((c) => c.parameters ?? []).map((name) => name.replace("!", "")));
    expect(Object.keys(PARAMETERS).filter((name) => !used.has(name))).toEqual([]);
  });
});
