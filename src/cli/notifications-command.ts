import { type Command, Option } from "commander";
import type { NotificationsOptions, RedriveOptions } from "./notifications.ts";
import { urlOption } from "./server-options.ts";

/** Adds `tocsin notifications` and `tocsin redrive`: dead letters of a running server, over its HTTP API. */
export function addNotificationCommands(program: Command): void {
  const add = (name: string, description: string): Command =>
    program
      .command(name)
      .description(description)
      .addOption(urlOption())
      .option("--receiver <name>", "only those to this receiver")
      .addOption(new Option("-o, --output <form>", "how it is told").choices(["table", "json"]).default("table"));

  add("notifications", "list notifications that could not be told (dead letters)").action(
    async (options: NotificationsOptions) => {
      const { runNotifications } = await import("./notifications.ts");
      process.exitCode = await runNotifications(options);
    },
  );
  add("redrive", "send dead letters again; exit code 1 when one fails")
    .argument("[id...]", "of `tocsin notifications`")
    .option("--all", "every dead letter")
    .action(async (ids: string[], options: RedriveOptions) => {
      const { runRedrive } = await import("./notifications.ts");
      process.exitCode = await runRedrive(ids, options);
    });
}
