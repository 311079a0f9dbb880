import { type Command, Option } from "commander";
import type { ShadowListOptions, TurnOptions } from "./rules-shadow.ts";
import { tenantOption, urlOption } from "./server-options.ts";
import type { TestReceiverOptions } from "./test-receiver.ts";

const OUTPUT = () => new Option("-o, --output <form>", "how it is told").choices(["table", "json"]).default("table");

/** Adds `tocsin rules ...`: shadow rules of a running server. */
export function addRulesCommands(program: Command): void {
  const rules = program.command("rules").description("shadow rules of a running server: what they would have paged");
  rules
    .command("shadow")
    .description("list shadow rules: how often each would have fired, beside the live rule of its name")
    .addOption(urlOption())
    .addOption(tenantOption("whose rules"))
    .addOption(OUTPUT())
    .action(async (options: ShadowListOptions) => {
      const { listShadow } = await import("./rules-shadow.ts");
      process.exitCode = await listShadow(options);
    });
  const turn = (name: "promote" | "demote", description: string) =>
    rules
      .command(name)
      .description(description)
      .argument("[alert]", "the alert's name (default: all alert rules of the group)")
      .option("--group <name>", "the rule group; needed where several have an alert of the name")
      .option("--rule <alert>", "the alert's name, as the argument")
      .option("--namespace <name>", "of a group that came over the API, where several have the name")
      .option(
        "--file <path>",
        "of a group that comes from a rule file, where several have the name; the path's end will do",
      )
      .option("--write", "change the rule file, if it is one, and have the server read it again")
      .addOption(urlOption())
      .addOption(tenantOption("whose rules"))
      .action(async (alert: string | undefined, options: TurnOptions) => {
        const { turnRules } = await import("./rules-shadow.ts");
        process.exitCode = await turnRules(name === "demote", alert, options);
      });
  turn(
    "promote",
    "make shadow rules live, with their states and clocks; exit code 1 when a file has to be changed first",
  );
  turn("demote", "make live rules shadow rules; what fires is ended for its receivers");
}

/** Adds `tocsin test receiver`, beside what is below `tocsin test` already. */
export function addTestReceiverCommand(program: Command): void {
  const test = program.commands.find((c) => c.name() === "test") ?? program.command("test");
  const pairs = (text: string, all: readonly string[] = []) => [...all, text];
  test
    .command("receiver")
    .description("send a test to a receiver, and tell what came of it; exit code 1 when it did not arrive")
    .argument("<name>", "the receiver")
    .option("--label <name=value>", "a label of the test's alert; may be given several times", pairs)
    .option("--annotation <name=value>", "an annotation; may be given several times", pairs)
    .option("--no-resolve", "leave the incident open that it opens (PagerDuty, Opsgenie, VictorOps)")
    .option("--config <file>", "send it from here, without a server: Tocsin's configuration or Alertmanager's")
    .addOption(urlOption())
    .addOption(OUTPUT())
    .action(async (name: string, options: TestReceiverOptions) => {
      const { testReceiver } = await import("./test-receiver.ts");
      process.exitCode = await testReceiver(name, options);
    });
}
