import { readdirSync, readFileSync } from "node:fs";
import { createRequire, stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import type { FastifyInstance } from "fastify";

const UI_DIR = join(import.meta.dirname, "../../ui");
const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  ts: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

interface Asset {
  readonly type: string;
  readonly body: () => string;
}

/**
 * The page. Its TypeScript is served with the types stripped, once at the first visit (what strips them takes a good part of a
 * second to load), and uPlot as its package ships it: there is no build step, and what the browser runs has the lines of the source.
 * @param prefix the path that the server is reached under, without a slash at the end
 */
export function uiRoutes(app: FastifyInstance, prefix = ""): void {
  // What the page asks for is relative to its own address, which must end with a slash for that.
  if (prefix !== "") app.get(prefix, (_request, reply) => reply.redirect(`${prefix}/`));
  const assets = loadAssets();
  const index = assets.get("index.html");
  const page = (asset: Asset) => ({
    asset,
    headers: { "content-security-policy": POLICY, "cache-control": "no-cache" },
  });
  for (const url of ["/", "/graph", "/alerts", "/targets"]) {
    app.get(url, (_request, reply) => {
      if (index === undefined) return reply.code(404).send("");
      const { asset, headers } = page(index);
      return reply.headers(headers).type(asset.type).send(asset.body());
    });
  }
  app.get<{ Params: { "*": string } }>("/ui/*", (request, reply) => {
    const asset = assets.get(request.params["*"]);
    if (asset === undefined) return reply.code(404).type("text/plain").send("404 page not found\n");
    return reply.header("cache-control", "no-cache").type(asset.type).send(asset.body());
  });
}

/** The module without its types; the one package that the page uses is imported from where it is served. */
function browserModule(source: string): string {
  return stripTypeScriptTypes(source).replaceAll('from "uplot"', 'from "./vendor/uplot.js"');
}

function once(make: () => string): () => string {
  let made: string | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function loadAssets(): Map<string, Asset> {
  const assets = new Map<string, Asset>();
  for (const name of readdirSync(UI_DIR, { recursive: true, encoding: "utf8" })) {
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (type === undefined) continue;
    const text = readFileSync(join(UI_DIR, name), "utf8");
    assets.set(name, { type, body: name.endsWith(".ts") ? once(() => browserModule(text)) : () => text });
  }
  const uplot = join(dirname(createRequire(import.meta.url).resolve("uplot/package.json")), "dist");
  const vendor = (name: string, type: string, file: string) => {
    const text = readFileSync(join(uplot, file), "utf8");
    assets.set(`vendor/${name}`, { type, body: () => text });
  };
  vendor("uplot.js", TYPES.js!, "uPlot.esm.js");
  vendor("uplot.css", TYPES.css!, "uPlot.min.css");
  return assets;
}
