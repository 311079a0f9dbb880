import type { Command } from "commander";
import type { WatchdogOptions } from "./watchdog.ts";

const TARGETS = `
Pages go to pagerduty:ROUTING_KEY (events v2), pagerduty:ROUTING_KEY@URL or to a webhook's URL; TOCSIN_WATCHDOG_PAGE is used where
neither option is given. Let Tocsin's configuration tell it: heartbeat: {receiver: watchdog, interval: 1m}.`;

/** Adds `tocsin watchdog`. */
export function addWatchdogCommand(program: Command): void {
  program
    .command("watchdog")
    .description("page when the heartbeat of a Tocsin stops; needs nothing else of it, run it on another machine")
    .option("--listen <host:port>", "where heartbeats come to, with /healthz and /metrics", "127.0.0.1:9095")
    .option("--timeout <duration>", "page when none came for so long", "5m")
    .option("--page <target>", "whom to page")
    .option("--page-file <file>", "a file that says whom to page")
    .option("--state <file>", "where it is kept what was heard and paged", "tocsin-watchdog.json")
    .option("--name <name>", "what the page says is silent", "tocsin")
    .addHelpText("after", TARGETS)
    .action(async (options: WatchdogOptions) => {
      const { watchdog } = await import("./watchdog.ts");
      await watchdog(options);
    });
}
