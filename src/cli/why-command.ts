import { type Command, Option } from "commander";
import { tenantOption, urlOption } from "./server-options.ts";
import type { WhyOptions } from "./why.ts";

/** Adds `tocsin why`: asks a running server why somebody was paged for an alert, or nobody. */
export function addWhyCommand(program: Command): void {
  program
    .command("why")
    .description("why was somebody paged for an alert, or nobody? From the records of evaluations and notifications")
    // commander's own exit code is 1, that of a server that cannot answer.
    .exitOverride((e) => process.exit(e.exitCode === 0 ? 0 : 2))
    .argument("[labels]", `the alert's labels, as 'alertname="HighLoad",instance="a"'`)
    .option("--time <time>", "as things stood then (now, -1h, 2026-11-22T10:00:00Z, Unix seconds)", "now")
    .option("--window <duration>", "how far back is looked for alerts that are over (1h)")
    .option("--receiver <name>", "only what came of it at this receiver")
    .option("--limit <n>", "the most alerts that are explained", "5")
    .option("--timeout <duration>", "give up when the server has not answered for so long", "30s")
    .addOption(urlOption())
    .addOption(new Option("--server <url>", "the same as --url").hideHelp())
    .addOption(tenantOption("whose alerts"))
    .option("--json", "the answer of the API as it is")
    .addHelpText("after", "\nExit code: 0 answered; 1 the server could not answer; 2 what was asked is wrong.")
    .action(async (labels: string | undefined, options: WhyOptions) => {
      if (labels === undefined) {
        process.stderr.write(`error: which alert? Give its labels, as 'alertname="HighLoad",instance="a"'\n`);
        process.exitCode = 2;
        return;
      }
      const { runWhy } = await import("./why.ts");
      process.exitCode = await runWhy(labels, options);
    });
}
