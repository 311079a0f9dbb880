import { parseConfig } from "../../../src/config/load-config.ts";
import type { Config, ScrapeConfig } from "../../../src/model/config.ts";

/** A configuration of the given text; relative paths are taken from `folder`. */
export function configOf(text: string, folder = "/nowhere"): Config {
  return parseConfig(text, `${folder}/t.yml`, {}).config;
}

/** A job whose keys are given as YAML flow text: `job("honor_labels: true")`. */
export function job(keys = ""): ScrapeConfig {
  const config = configOf(`scrape_configs: [{ job_name: j, scrape_interval: 10s, ${keys} }]`).scrapeConfigs[0];
  if (config === undefined) throw new Error("no job");
  return config;
}
