/**
 * `npm run bench` runs all, `npm run bench -- remote-write query alert-latency` the named ones. Peers are measured in the
 * same run where they are found (PEERS_BIN=<folder> or PATH): victoria-metrics, prometheus. Ratios hold on a noisy
 * machine, absolute times do not.
 */
import { cpus, totalmem } from "node:os";
import { benchAlertLatency } from "./alert-latency.ts";
import { benchQuery } from "./query.ts";
import { benchRemoteWrite } from "./remote-write.ts";

const all: Readonly<Record<string, () => Promise<void>>> = {
  "remote-write": benchRemoteWrite,
  query: benchQuery,
  "alert-latency": benchAlertLatency,
};

const names = process.argv.slice(2);
const unknown = names.filter((n) => !(n in all));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(", ")}; there are ${Object.keys(all).join(", ")}`);
  process.exit(2);
}
console.log(
  `${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, node ${process.version}, ${new Date().toISOString().slice(0, 10)}`,
);
for (const [name, run] of Object.entries(all)) if (names.length === 0 || names.includes(name)) await run();
