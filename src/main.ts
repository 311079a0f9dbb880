import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { checkConfig, checkRules } from "./cli/check.ts";
import { addQueryCommands } from "./cli/query.ts";
import type { ServeOptions } from "./cli/serve-options.ts";
import { inspectStorage, repairStorage, verifyStorage } from "./cli/storage.ts";

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
  .option("--nats <url>", "an existing NATS server with JetStream, instead of the embedded one (streams.url)")
  .option("--log-level <level>", "debug, info, warn or error", "info")
  .action(async (options: Omit<ServeOptions, "version">) => {
    // Loaded when it is wanted: the other commands start in a third of the time.
    const { serve } = await import("./cli/serve.ts");
    return serve({ ...options, version });
  });

addQueryCommands(program);

const check = program.command("check").description("check a file without running anything");
check
  .command("config")
  .argument("<file>", "configuration file; its rule and alert manager files are checked too")
  .action(checkConfig);
check.command("rules").argument("<file...>", "rule files").action(checkRules);

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
