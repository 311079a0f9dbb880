import { ConfigError } from "../model/config.ts";
import { loadAll } from "./load-all.ts";

const warn = (line: unknown) => console.warn(`warning: ${String(line)}`);

/** `tocsin check config FILE`: the file and all that it names; exit code 1 with every problem and its place. */
export function checkConfig(file: string): void {
  report(() => {
    const { config, groups } = loadAll(file, { warn });
    const rules = groups.reduce((n, g) => n + g.rules.length, 0);
    return `${file} is valid: ${config.scrapeConfigs.length} scrape configs, ${groups.length} rule groups with ${rules} rules`;
  });
}

function report(check: () => string): void {
  try {
    console.log(check());
  } catch (e) {
    if (!(e instanceof ConfigError)) throw e;
    console.error(e.message);
    process.exitCode = 1;
  }
}
