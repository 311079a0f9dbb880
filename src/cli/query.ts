import { Argument, type Command, Option } from "commander";
import type { CommonOptions, Io } from "./query/command.ts";
import { tenantOption, urlOption } from "./server-options.ts";

/** What a command does; the module is loaded when it is called. */
type Run = typeof import("./query/run.ts");

const TIMES = `
Times: now, -1h, now-30m, 2026-11-22, 2026-11-22T10:00:00Z (UTC where no zone is given) or Unix seconds.
Durations: 30s, 5m, 1h30m or seconds.`;
const TRACE = "tell where the time went, in front and in each shard";
const CODES = `
Exit code: 0 answered; 1 the server could not answer; 2 what was asked is wrong (options, PromQL).
NO_COLOR and FORCE_COLOR are followed.`;

/** Adds `tocsin query ...`: questions to a running server over its HTTP API. */
export function addQueryCommands(program: Command): void {
  const query = program
    .command("query")
    .description("ask a running server: PromQL, series, labels, what most series are made of")
    .addHelpText("after", TIMES + CODES)
    // Commander's own exit code for a wrong command line is 1.
    .exitOverride((e) => process.exit(e.exitCode === 0 ? 0 : 2));

  /** A command with the options that all have; `outputs` begins with the default. */
  const add = (name: string, description: string, outputs: readonly [string, ...string[]]): Command =>
    query
      .command(name)
      .description(description)
      .addOption(urlOption())
      .addOption(tenantOption("whose data"))
      .option("--timeout <duration>", "how long the answer may take (the server's own limit holds too)")
      .addOption(new Option("-o, --output <form>", "how it is told").choices(outputs).default(outputs[0]))
      .option("--width <columns>", "width of the output, instead of the terminal's")
      .addHelpText("after", TIMES + CODES);

  add("instant", "evaluate at one time", ["table", "json", "csv", "promql-text"])
    .argument("<query>", "PromQL")
    .option("--time <time>", "when", "now")
    .option("--limit <n>", "the most series")
    .option("--trace", TRACE)
    .action((text, options) => attempt(options, [text], (run, io) => run.runInstant(text, options, io)));

  add("range", "evaluate over a range of time and draw a chart", ["chart", "table", "json", "csv", "promql-text"])
    .argument("<query>", "PromQL")
    .option("--start <time>", "from", "-1h")
    .option("--end <time>", "to", "now")
    .option("--step <duration>", "distance of the points (default: a round one for some 240 points)")
    .option("--height <rows>", "rows of the chart", "16")
    .option("--limit <n>", "the most series")
    .option("--trace", TRACE)
    .action((text, options) => attempt(options, [text], (run, io) => run.runRange(text, options, io)));

  const list = (command: Command): Command =>
    command
      .option("--start <time>", "only what has samples from then on")
      .option("--end <time>", "only what has samples until then")
      .option("--limit <n>", "the most entries");

  list(add("series", "list series", ["text", "json", "csv"]))
    .argument("<selector...>", "such as 'up{job=\"node\"}'; what fits any of them is listed")
    .action((texts: string[], options) => attempt(options, texts, (run, io) => run.runSeries(texts, options, io)));

  list(add("labels", "list label names, or the values of a label", ["text", "json", "csv"]))
    .argument("[name]", "the label whose values are wanted; __name__ for metric names")
    .option("--match <selector>", "only of series that fit; may be given several times", collect)
    .action((name: string | undefined, options) => {
      return attempt(options, options.match ?? [], (run, io) => run.runLabels(name, options, io));
    });

  const rankings = new Argument(
    "[ranking]",
    "by series: metrics, pairs (label=value); labels by values; memory of labels",
  );
  add("top", "metric names and labels with the most series, of those in memory", ["table", "json", "csv"])
    .addArgument(rankings.choices(["metrics", "pairs", "labels", "memory"]))
    .option("--limit <n>", "entries of each ranking", "10")
    .action((what, options) => attempt(options, [], (run, io) => run.runTop(what, options, io)));

  add("explain", "show how a query runs: what in the shards, what in front, what it reads", ["table", "json"])
    .argument("<query>", "PromQL")
    .option("--time <time>", "when, as an instant query", "now")
    .option("--start <time>", "from, as a range query")
    .option("--end <time>", "to")
    .option("--step <duration>", "distance of the points")
    .option("--offline", "the plan only: no server is asked")
    .action((text, options) => attempt(options, [text], (run, io) => run.runExplain(text, options, io)));
}

function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Runs a command; an error is told, with its place in `texts`, and becomes the exit code. */
async function attempt(
  options: CommonOptions,
  texts: readonly string[],
  act: (run: Run, io: Io) => Promise<void>,
): Promise<void> {
  const { processIo, tellError } = await import("./query/command.ts");
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on("error", (e: NodeJS.ErrnoException) => process.exit(e.code === "EPIPE" ? 0 : 1));
  try {
    await act(await import("./query/run.ts"), processIo(options.width));
  } catch (e) {
    process.exitCode = tellError(processIo(undefined), e, texts);
  }
}
