import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { configOf } from "../../actors/collector/jobs.ts";
import { wholeServer } from "./whole-server.ts";

const TEXT = `
scrape_configs:
- job_name: web
  static_configs: [{ targets: ["a:80"] }]
  relabel_configs:
  - { target_label: env, replacement: dev }
  - { source_labels: [__address__], regex: "a:.*", action: drop }
  - { target_label: never, replacement: x }
- job_name: other
  static_configs: [{ targets: ["b:80"] }]
`;
const app = wholeServer({ scrapeConfigs: () => configOf(TEXT).scrapeConfigs, configText: () => TEXT });
const get = async (path: string, params: Record<string, string>) =>
  (await app.inject(`/api/v1/${path}?${new URLSearchParams(params)}`)).json();
const steps = (labels: string, scrapePool = "web") => get("targets/relabel_steps", { scrapePool, labels });

describe("targets/relabel_steps", () => {
  it("shows what each rule makes of a target", async () => {
    const { data } = await steps('{"__address__":"b:80","job":"web"}');
    expect(data.steps).toHaveLength(3);
    expect(data.steps[0]).toEqual({
      rule: { separator: ";", regex: "(.*)", target_label: "env", replacement: "dev", action: "replace" },
      output: { __address__: "b:80", env: "dev", job: "web" },
      keep: true,
    });
    expect(data.steps[2].output).toEqual({ __address__: "b:80", env: "dev", job: "web", never: "x" });
  });

  it("ends with the rule that drops it", async () => {
    const { data } = await steps('{"__address__":"a:80"}');
    expect(data.steps.map((s: { keep: boolean }) => s.keep)).toEqual([true, false]);
    expect(data.steps[1]).toMatchObject({ output: {}, rule: { source_labels: ["__address__"], action: "drop" } });
  });

  it.each([
    ["", "web", "no labels parameter"],
    ["[]", "web", "error parsing labels"],
    ['{"a":1}', "web", "error parsing labels"],
    ["{}", "", "no scrapePool parameter"],
    ["{}", "gone", "gone"],
  ])("labels %j of the pool %j are refused", async (labels, pool, why) => {
    const answer = await steps(labels, pool);
    expect(answer).toMatchObject({ status: "error", errorType: "bad_data" });
    expect(answer.error).toContain(why);
  });
});

describe("scrape_pools/config", () => {
  it("gives a job as the configuration has it", async () => {
    const { data } = await get("scrape_pools/config", { scrapePool: "other" });
    expect(parse(data.yaml)).toEqual({ job_name: "other", static_configs: [{ targets: ["b:80"] }] });
  });

  it("refuses a job that there is not", async () => {
    expect(await get("scrape_pools/config", { scrapePool: "gone" })).toMatchObject({ errorType: "bad_data" });
  });
});
