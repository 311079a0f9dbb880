import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import type { AckOptions } from "./cli/ack.ts";
import { addBacktestCommand } from "./cli/backtest/command.ts";
import { checkConfig } from "./cli/check.ts";
import type { CheckRulesOptions } from "./cli/check-rules.ts";
import { addNotificationCommands } from "./cli/notifications-command.ts";
import { addQueryCommands } from "./cli/query.ts";
import { addRulesCommands, addTestReceiverCommand } from "./cli/rules-command.ts";
import type { ServeOptions } from "./cli/serve-options.ts";
import { inspectStorage, repairStorage, verifyStorage } from "./cli/storage.ts";
import type { TestRulesOptions } from "./cli/test-rules.ts";
import { addWatchdogCommand } from "./cli/watchdog-command.ts";
import { addWhyCommand } from "./cli/why-command.ts";

const root = join(import.meta.dirname, "..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

const program = new Command("tocsin")
  .description("Metrics monitoring and paging on an event bus")
  .version(version)
  .showHelpAfterError("(see tocsin --help)");

program
  .command("serve", { isDefault: true })
  .description("run the whole system in the foreground: bus, shards, collectors, rules, alert manager, API and page")
  .option("--config <file>", "configuration file", join(root, "config/tocsin.yml"))
  .option("--data-dir <dir>", "where everything is kept", "data")
  .option("--listen <host:port>", "address of the page and the API", "127.0.0.1:9090")
  .option("--external-url <url>", "where it is reached from outside, for links in notifications (external_url)")
  .option("--nats <url>", "an existing NATS server with JetStream, instead of the embedded one (streams.url)")
  .option("--log-level <level>", "debug, info, warn or error", "info")
  .action(async (options: Omit<ServeOptions, "version">) => {
    // Loaded when it is wanted: the other commands start in a third of the time.
    const { serve } = await import("./cli/serve.ts");
    return serve({ ...options, version });
  });

addQueryCommands(program);
addNotificationCommands(program);
addWatchdogCommand(program);
addWhyCommand(program);
addBacktestCommand(program);

const check = program.command("check").description("check a file without running anything");
check
  .command("config")
  .argument("<file>", "configuration file; its rule and alert manager files are checked too")
  .action(checkConfig);
check
  .command("rules")
  .description("rule files; exit code 1 with every mistake and its place, 3 for what --lint-fatal makes one")
  .argument("[file...]", "rule files (default: the standard input)")
  .option("--lint <what>", "all, duplicate-rules or none", "duplicate-rules")
  .option("--lint-fatal", "what lint finds is an error, with exit code 3")
  .option("--ignore-unknown-fields", "pass over keys that nobody knows")
  .action(async (files: string[], options: CheckRulesOptions) => {
    const { checkRules } = await import("./cli/check-rules.ts");
    process.exitCode = checkRules(files, options);
  });

program
  .command("test")
  .description("tests of rule files without a server, or of a receiver")
  .command("rules")
  .description("promtool's unit tests for rules, in virtual time; exit code 1 when one fails")
  .argument("<file...>", "test files")
  .option(
    "--run <regex>",
    "only tests whose name it finds; may be given several times",
    (regex, all: string[] = []) => [...all, regex],
  )
  .option("--diff", "tell alerts that differ as a coloured difference")
  .option("--debug", "tell of each test, and all its data at the end")
  .option("--junit <file>", "write the results as JUnit XML")
  .option("--ignore-unknown-fields", "pass over keys that nobody knows")
  .action(async (files: string[], options: TestRulesOptions) => {
    const { testRules } = await import("./cli/test-rules.ts");
    process.exitCode = await testRules(files, options);
  });

addTestReceiverCommand(program);
addRulesCommands(program);

program
  .command("ack")
  .description("acknowledge an escalation of a running server, so that nobody else is paged; without an id: list them")
  .argument("[id]", "the escalation's id, as in its pages")
  .addOption(new Option("--url <url>", "the server").env("TOCSIN_URL").default("http://127.0.0.1:9090"))
  .option("--by <name>", "who acknowledges (default: the user's name)")
  .option("--comment <text>", "what for")
  .action(async (id: string | undefined, options: AckOptions) => {
    const { acknowledge } = await import("./cli/ack.ts");
    process.exitCode = await acknowledge(id, options);
  });

const storage = program.command("storage").description("look at the data of a stopped server, or of a snapshot");
storage
  .command("inspect")
  .description("list blocks, snapshots of the head and the log of every shard")
  .argument("<dir>", "data dir, snapshot or folder of one shard")
  .option("--json", "as JSON")
  .action(inspectStorage);
storage
  .command("verify")
  .description("check every checksum; exit code 1 when something is broken")
  .argument("<dir>", "data dir, snapshot or folder of one shard")
  .action(verifyStorage);
storage
  .command("repair")
  .description("move what is broken to quarantine, so that a server starts on the rest")
  .argument("<dir>", "data dir of a stopped server")
  .action(repairStorage);

await program.parseAsync();
