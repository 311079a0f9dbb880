import { type Command, Option } from "commander";
import { tenantOption, urlOption } from "../server-options.ts";
import type { BacktestOptions } from "./run.ts";

const HELP = `
Times: -30d, now-1w, 2026-11-01, 2026-11-01T10:00:00Z (UTC where no zone is given) or Unix seconds.
Exit code: 0 done; 1 a file is wrong (with file, line and key), or the server could not answer; 2 wrong options.`;

/** Adds `tocsin backtest`: candidate rules and routing over what a running server has stored. */
export function addBacktestCommand(program: Command): void {
  program
    .command("backtest")
    .description("which pages would candidate rules and routing have sent? Over stored data, in virtual time")
    .option("--rules <file...>", "candidate rule files or globs (default: the server's rules)")
    .option("--alertmanager <file>", "candidate routing (default: the server's)")
    .requiredOption("--from <time>", "from")
    .option("--to <time>", "to", "now")
    .option("--add", "groups of the server that the candidate files lack stay")
    .option("--no-compare", "without the difference to what is configured now")
    .option("--no-silences", "without the server's silences")
    .option("--without-silences", "the same")
    .option("--with-shadow", "shadow rules tell as if they were live")
    .option("--ack-after <duration>", "whoever an escalation pages acknowledges after so long (default: nobody does)")
    .option("--zone <name>", "time zone of shown times and of the night (default: this machine's)")
    .option("--limit <n>", "rows of each table", "20")
    .option("--slice <n>", "evaluations in one range query", "5000")
    .addOption(urlOption())
    .option("--server <url>", "the same as --url")
    .addOption(tenantOption("whose data"))
    .option("--timeout <duration>", "how long one query may take (the server's own limit holds too)")
    .addOption(new Option("-o, --output <form>", "how it is told").choices(["table", "json"]).default("table"))
    .option("--json", "the same as -o json")
    .option("--width <columns>", "width of the output, instead of the terminal's")
    .addHelpText("after", HELP)
    .exitOverride((e) => process.exit(e.exitCode === 0 ? 0 : 2))
    .action(async (given: BacktestOptions & { server?: string; json?: boolean; withoutSilences?: boolean }) => {
      const { processIo } = await import("../query/command.ts");
      const { runBacktest } = await import("./run.ts");
      // A reader that has seen enough (`| head`) is no error.
      process.stdout.on("error", (e: NodeJS.ErrnoException) => {
        if (e.code !== "EPIPE") process.stderr.write(`error: the output cannot be written: ${e.message}\n`);
        process.exit(e.code === "EPIPE" ? 0 : 1);
      });
      const options: BacktestOptions = {
        ...given,
        ...(given.server === undefined ? {} : { url: given.server }),
        ...(given.json === true ? { output: "json" } : {}),
        ...(given.withoutSilences === true ? { silences: false } : {}),
      };
      process.exitCode = await runBacktest(options, processIo(options.width));
    });
}
