import { createServer, type ServerResponse } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Io } from "../../src/cli/query/command.ts";
import { runWhy, type WhyOptions } from "../../src/cli/why.ts";
import { freePort } from "../support/free-port.ts";

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
const refused = (status: number, errorType: string, error: string) => (response: ServerResponse) =>
  json(response, status, { status: "error", errorType, error });
const instance = {
  ...{ labels: { alertname: "X" }, fingerprint: "aa", verdict: "not_paged", reason: "silenced", advice: [], chain: [] },
  sentence: "Not paged because silenced.",
};
const answer = {
  ...{ time: "2026-01-01T00:00:00.000Z", verdict: "not_paged", sentence: "Not paged because silenced." },
  ...{ instances: [instance, { ...instance, labels: { alertname: "X", b: "c" } }], leftOut: 3 },
  records: { alertsBegin: null, notificationsBegin: null, problems: [] },
};

/** What the server answers, by the first part of its URL. */
const ANSWERS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  good: (response) => json(response, 200, { status: "success", data: answer }),
  place: refused(400, "bad_data", 'invalid parameter "labels": 1:11: parse error: expected a closing quote'),
  receiver: refused(400, "bad_data", 'invalid parameter "receiver": there is no receiver "none"'),
  unknown: refused(404, "not_found", "there is no such tenant"),
  records: refused(503, "unavailable", "this server keeps no records"),
  fault: refused(500, "internal", "it broke"),
  page: (response) => void response.writeHead(404).end("<html>not here</html>"),
  cut: (response) => void response.destroy(),
};
const server = createServer((request, response) => ANSWERS[request.url?.split("/")[1] ?? ""]?.(response));
let url = "";
beforeAll(async () => {
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function ask(labels: string, options: Partial<WhyOptions>) {
  const said = { out: "", err: "" };
  const screen = { width: 400, color: false };
  const io: Io = {
    ...{ out: screen, err: screen, now: () => Date.UTC(2026, 0, 1) },
    write: (text) => {
      said.out += text;
    },
    complain: (text) => {
      said.err += text;
    },
  };
  const code = await runWhy(labels, { time: "now", limit: "5", url, ...options }, io);
  return { code, ...said };
}

describe("tocsin why: the exit code and what is said", () => {
  const LABELS = 'alertname="X"';
  it.each<[string, string, Partial<WhyOptions>, number, RegExp]>([
    ["an answer, whatever the verdict", "good", {}, 0, /^Not paged because silenced\.\n/],
    [
      "several alerts fit, and more than are shown",
      "good",
      {},
      0,
      /3 more alerts fit: name more labels, or raise --limit/,
    ],
    [
      "labels that the server cannot read",
      "place",
      {},
      2,
      /^parse error: expected a closing quote\n {2}.*\n {12}\^\n$/,
    ],
    [
      "a receiver that there is not",
      "receiver",
      {},
      2,
      /^error: invalid parameter "receiver": there is no receiver "none"\n$/,
    ],
    ["no time", "good", { time: "yesterday" }, 2, /^error: --time: "yesterday" is no time; write -1h/],
    ["a time without a unit", "good", { time: "-5" }, 2, /^error: --time: /],
    ["no duration", "good", { timeout: "soon" }, 2, /^error: --timeout: /],
    ["no URL", "", { url: "http://" }, 2, /^error: --url: "http:\/\/" is no URL\n$/],
    ["what is not there", "unknown", {}, 1, /^error: there is no such tenant\n$/],
    ["a server without records", "records", {}, 1, /^error: not now: this server keeps no records\n$/],
    ["a fault of the server", "fault", {}, 1, /^error: a fault of the server: it broke\n$/],
    [
      "a server that is none of ours",
      "page",
      {},
      1,
      /HTTP 404 without an answer of Prometheus's API.*\nhint: is .* a Tocsin/,
    ],
    ["a server that goes away", "cut", {}, 1, /^error: no answer from http:/],
  ])("%s", async (_, path, options, code, text) => {
    const ran = await ask(LABELS, { url: `${url}/${path}`, ...options });
    expect(ran.code).toBe(code);
    expect(code === 0 ? ran.out : ran.err).toMatch(text);
    expect(code === 0 ? ran.err : ran.out).toBe("");
  });

  it("a server that is not there", async () => {
    const ran = await ask(LABELS, { url: `http://127.0.0.1:${await freePort()}` });
    expect(ran.code).toBe(1);
    expect(ran.err).toMatch(/nothing listens at .*\(connection refused\)\nhint: is Tocsin running\?/);
  });

  it("JSON is the answer of the API as it is", async () => {
    const { out } = await ask(LABELS, { url: `${url}/good`, json: true });
    expect(JSON.parse(out)).toEqual(answer);
  });
});
