import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findPeer } from "../support/find-program.ts";
import { killPrograms, type Program, startPrometheus } from "./program.ts";
import { dataset, datasetBody, END, START, WRITE_HEADERS } from "./prometheus-data.ts";
import { blocksOf, bytesIn, call, filesIn, line, tool, total, write } from "./storage-support.ts";
import { killLeftOvers, query, startTocsin, type Tocsin, tempDir, until } from "./tocsin.ts";

// The admin calls, beside those of a real Prometheus on the same data where there is one.

afterAll(() => {
  killLeftOvers();
  killPrograms();
});

const program = findPeer("3.5", "prometheus");
const passedOver = program === undefined ? " (no Prometheus 3.5 on PATH or in PEERS_BIN: not compared)" : "";

const CONFIG =
  "agent: { enabled: false }\nstorage: { upkeep_interval: 250ms, retention: { raw: 0s, 1m: 0s, 1h: 0s } }\n";
const ADMIN = "/api/v1/admin/tsdb";
/** Samples of now lie in the head, those of the dataset soon in blocks. */
const NOW = Math.floor(Date.now() / 1000) - 10;
const FRESH = ["a", "b", "c"].map((room) =>
  line({ __name__: "fresh", room }, (NOW - 600) * 1000, NOW * 1000, 10_000, (i) => i),
);

type Params = readonly (readonly [string, string | number])[];

/** The first answers of `everything` are of samples, the others of names. */
const QUERIES = 3;

/** Everything that a person sees of the stored data. */
async function everything(url: string): Promise<unknown[]> {
  const old: Params = [
    ["start", START],
    ["end", END],
  ];
  const now: Params = [
    ["start", NOW - 600],
    ["end", NOW],
  ];
  const calls: [string, Params][] = [
    ["/api/v1/query_range", [["query", '{__name__=~".+"}'], ["step", 15], ["lookback_delta", 14], ...old]],
    ["/api/v1/query_range", [["query", '{__name__=~".+"}'], ["step", 10], ["lookback_delta", 9], ...now]],
    [
      "/api/v1/query",
      [
        ["query", "sum by (code) (increase(http_requests_total[20m]))"],
        ["time", END],
      ],
    ],
  ];
  expect(calls).toHaveLength(QUERIES);
  for (const window of [old, now]) {
    calls.push(["/api/v1/series", [["match[]", '{__name__=~".+"}'], ...window]]);
    calls.push(["/api/v1/labels", window], ["/api/v1/label/__name__/values", window]);
    calls.push(["/api/v1/label/kind/values", window], ["/api/v1/label/room/values", window]);
  }
  return Promise.all(calls.map(async ([path, params]) => [path, params, sorted((await call(url, path, params)).body)]));
}

/** Prometheus promises no order, and adds in another one. Long rows are shortened, so that a difference can be read. */
function sorted(body: unknown): unknown {
  const text = JSON.stringify(body, (_key, v: unknown) =>
    typeof v === "string" && /^-?\d+\.\d{9,}$/.test(v) ? String(Number(Number(v).toPrecision(13))) : v,
  );
  const { data, ...rest } = JSON.parse(text) as { data: unknown[] | { result: unknown[] } };
  const key = (entry: unknown) => {
    const row = JSON.stringify(entry);
    if (row.length < 300) return row;
    return `${row.slice(0, 200)} ... ${row.slice(-30)} ${createHash("sha256").update(row).digest("hex").slice(0, 16)}`;
  };
  const rows = Array.isArray(data) ? data : data.result;
  return { ...rest, rows: rows.map(key).sort() };
}

describe(`the admin calls${passedOver}`, () => {
  let prometheus: Program | undefined;
  let tocsin: Tocsin;
  const servers = () => [tocsin, ...(prometheus === undefined ? [] : [prometheus])];
  /**
   * Prometheus lists names and values of its whole head, whatever the time asked for, also after their last sample was
   * deleted: Tocsin does not, so samples are compared.
   */
  const same = async () => {
    const [got, want] = await Promise.all(servers().map(({ url }) => everything(url)));
    const compared = (answers: unknown[] | undefined) => answers?.slice(0, QUERIES);
    if (want !== undefined) expect(compared(got)).toEqual(compared(want));
  };
  const admin = async (what: string, params: Params, method = "POST") => {
    const [got, want] = await Promise.all(servers().map(({ url }) => call(url, `${ADMIN}/${what}`, params, method)));
    return { got, want };
  };
  const deleted = async (...params: Params) => {
    for (const s of servers()) {
      expect(await call(s.url, `${ADMIN}/delete_series`, params, "POST")).toEqual({ status: 204, body: "" });
    }
  };

  beforeAll(async () => {
    tocsin = await startTocsin({ config: CONFIG });
    if (program !== undefined) prometheus = await startPrometheus(program, "global: {}\n", ["--web.enable-admin-api"]);
    for (const { url } of servers()) {
      const old = await fetch(`${url}/api/v1/write`, { method: "POST", body: datasetBody(), headers: WRITE_HEADERS });
      expect(old.status).toBe(204);
    }
    const samples = dataset().reduce((sum, { samples }) => sum + samples.length, 0);
    const inBlocks = () => total(tocsin.url, "tocsin_storage_blocks_samples", 'tier="raw"');
    await until(async () => (await inBlocks()) === samples, "all is in blocks");
    for (const { url } of servers()) expect(await write(url, FRESH)).toMatchObject({ status: 204 });
    await until(async () => (await query(tocsin.url, "fresh", NOW)).length === 3, "fresh samples are stored");
  });
  afterAll(() => Promise.all([prometheus?.stop(), tocsin?.stop()]));

  it("begin with the same data, old samples in blocks and new ones in the head", async () => {
    await same();
    expect(blocksOf(tocsin, "raw").length).toBeGreaterThan(0);
  });

  it.each(["GET", "DELETE"])("refuse %s", async (method) => {
    for (const what of ["snapshot", "delete_series", "clean_tombstones"]) {
      const { got, want } = await admin(what, [], method);
      expect(got).toEqual({ status: 405, body: "Method Not Allowed\n" });
      expect((want ?? got)?.status).toBe(405);
    }
  });

  it.each<[string, Params]>([
    ["delete_series", []],
    ["delete_series", [["start", 1]]],
    ["delete_series", [["match[]", ""]]],
    ["delete_series", [["match[]", "{"]]],
    ["delete_series", [["match[]", "up["]]],
    ["delete_series", [["match[]", "sum(up)"]]],
    [
      "delete_series",
      [
        ["match[]", "nosuch"],
        ["match[]", "{"],
      ],
    ],
    [
      "delete_series",
      [
        ["match[]", "up"],
        ["start", "x"],
      ],
    ],
    [
      "delete_series",
      [
        ["match[]", "up"],
        ["end", "tomorrow"],
      ],
    ],
  ])("%s %j: the error is Prometheus's", async (what, params) => {
    const { got, want } = await admin(what, params);
    expect(got).toMatchObject({ status: 400, body: { status: "error", errorType: "bad_data" } });
    if (want !== undefined) expect(got).toEqual(want);
  });

  it("refuse times and flags that cannot be meant, and delete nothing", async () => {
    const before = await everything(tocsin.url);
    for (const params of [
      [
        ["match[]", "up"],
        ["start", 200],
        ["end", 100],
      ],
      [
        ["match[]", "up"],
        ["start", "NaN"],
      ],
    ] satisfies Params[]) {
      const { status, body } = await call(tocsin.url, `${ADMIN}/delete_series`, params, "POST");
      expect(status).toBe(400);
      expect(body).toMatchObject({ status: "error", errorType: "bad_data" });
    }
    for (const skip of ["x", "yes", "tRue"]) {
      const { got, want } = await admin("snapshot", [["skip_head", skip]]);
      expect(got).toMatchObject({ status: 400, body: { status: "error", errorType: "bad_data" } });
      expect((want ?? got)?.status).toBe(400);
    }
    expect(await everything(tocsin.url)).toEqual(before);
  });

  it("snapshot: a copy by links, which another Tocsin serves as the first one does", async () => {
    const answer = await call(tocsin.url, `${ADMIN}/snapshot`, [], "POST");
    const { name } = (answer.body as { data: { name: string } }).data;
    expect(answer).toEqual({ status: 200, body: { status: "success", data: { name } } });
    expect(name).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{16}$/);
    const folder = join(tocsin.dir, "data/snapshots", name);
    expect(readdirSync(folder).sort()).toEqual(["shards", "tocsin.json"]);
    const linked = filesIn(folder).filter((f) => f.links > 1);
    expect(linked.map((f) => basename(f.path))).toContain("tocsin.json");

    const headless = await call(tocsin.url, `${ADMIN}/snapshot`, [["skip_head", "true"]], "PUT");
    const second = (headless.body as { data: { name: string } }).data.name;
    expect(readdirSync(join(tocsin.dir, "data/snapshots")).sort()).toEqual([name, second].sort());
    const inode = (path: string) => statSync(path).ino;
    const own = new Set(blocksOf(tocsin, "raw").flatMap((b) => filesIn(b).map((f) => inode(f.path))));
    const raw = blocksOf({ dir: join(tocsin.dir, "data/snapshots") }, "raw", second);
    expect(raw.length).toBeGreaterThan(0);
    for (const file of raw.flatMap(filesIn)) expect(own.has(inode(file.path)), file.path).toBe(true);

    const restored = { dir: tempDir() };
    cpSync(folder, join(restored.dir, "data"), { recursive: true });
    const other = await startTocsin({ ...restored, config: CONFIG });
    expect(await everything(other.url)).toEqual(await everything(tocsin.url));
    // What it takes from now on is its own.
    expect((await write(other.url, [{ labels: { __name__: "own" }, samples: [[Date.now(), 1]] }])).status).toBe(204);
    await until(async () => (await query(other.url, "own")).length === 1, "the copy takes samples");
    expect(await query(tocsin.url, "own")).toEqual([]);
    await other.stop();
    expect(other.output()).not.toMatch(/"level":"(error|warn)"/);

    // The head of the other one was left out.
    const { code, out } = await tool("inspect", "--json", join(tocsin.dir, "data/snapshots", second));
    expect(code).toBe(0);
    const surveys = JSON.parse(out) as { blocks: { maxT: number }[] }[];
    const newest = Math.max(...surveys.flatMap((s) => s.blocks.map((b) => b.maxT)));
    expect(newest).toBe(END * 1000);
  });

  it("delete_series: in a range, of whole series, in blocks and in the head", async () => {
    await deleted(["match[]", 'up{job="api"}'], ["start", START + 600], ["end", START + 1200]);
    await same();
    await deleted(["match[]", "special"], ["match[]", 'fresh{room="a"}'], ["match[]", "nosuch"]);
    await deleted(["match[]", 'fresh{room="b"}'], ["start", NOW - 300]);
    await deleted(["match[]", 'temperature_celsius{room=~"a|Z"}'], ["end", "2023-11-14T23:00:00Z"]);
    await same();
    const names = async (path: string, params: Params) => {
      const { body } = await call(tocsin.url, `/api/v1/${path}`, params);
      return (body as { data: unknown[] }).data;
    };
    const late: Params = [
      ["start", START],
      ["end", END],
    ];
    expect(await names("series", [["match[]", "special"], ...late])).toEqual([]);
    expect(await names("series", [["match[]", "fresh"]])).toHaveLength(2);
    expect(await names("label/kind/values", late)).toEqual([]);
    expect(await names("labels", late)).not.toContain("kind");
    expect(await names("label/__name__/values", [])).not.toContain("special");
    expect(await names("label/room/values", [["match[]", "fresh"]])).toEqual(["b", "c"]);
    // Part of it is still there.
    expect(await names("label/room/values", late)).toEqual(["B", "Z", "a", "é"]);
  });

  it("new samples of a deleted series are kept, and old ones may be sent again", async () => {
    const again = line({ __name__: "fresh", room: "a" }, NOW * 1000 + 1, NOW * 1000 + 2, 1, () => 7);
    for (const { url } of servers()) expect((await write(url, [again])).status).toBe(204);
    await until(async () => (await query(tocsin.url, 'fresh{room="a"}', NOW + 1)).length === 1, "it is there again");
    if (prometheus !== undefined) {
      const at = NOW + 1;
      expect(await query(tocsin.url, "fresh", at)).toEqual(
        (await query(prometheus.url, "fresh", at)).sort((x, y) =>
          (x.metric.room ?? "") < (y.metric.room ?? "") ? -1 : 1,
        ),
      );
    }
    const past = line({ __name__: "special", kind: "back" }, START * 1000, START * 1000 + 1, 1, () => 5);
    expect((await write(tocsin.url, [past], { "X-Tocsin-Backfill": "1" })).status).toBe(204);
    await until(async () => (await query(tocsin.url, "special", START)).length === 1, "the past is there again");
  });

  it("survives a restart and kill -9", async () => {
    const before = await everything(tocsin.url);
    await deleted(["match[]", 'gaps{job="old"}'], ["start", START], ["end", START + 1800]);
    const after = await everything(tocsin.url);
    expect(after).not.toEqual(before);
    await tocsin.killGroup();
    tocsin = await startTocsin({ dir: tocsin.dir, config: CONFIG });
    expect(await everything(tocsin.url)).toEqual(after);
    expect(await tocsin.stop()).toBe(0);
    tocsin = await startTocsin({ dir: tocsin.dir, config: CONFIG });
    expect(await everything(tocsin.url)).toEqual(after);
  });

  it("clean_tombstones gives the space back", async () => {
    await deleted(["match[]", '{__name__!~"up|fresh"}'], ["end", END + 1]);
    const before = await everything(tocsin.url);
    const size = () => blocksOf(tocsin, "raw").reduce((sum, dir) => sum + bytesIn(dir), 0);
    const full = size();
    for (const s of servers()) {
      expect(await call(s.url, `${ADMIN}/clean_tombstones`, [], "PUT")).toEqual({ status: 204, body: "" });
    }
    expect(size()).toBeLessThan(full * 0.7);
    expect(blocksOf(tocsin, "raw").filter((dir) => existsSync(join(dir, "tombstones")))).toEqual([]);
    expect(await everything(tocsin.url)).toEqual(before);
    // With nothing left to clean it is done at once.
    expect((await call(tocsin.url, `${ADMIN}/clean_tombstones`, [], "POST")).status).toBe(204);
  });
});
