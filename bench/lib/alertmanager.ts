/** The real Alertmanager, in the foreground with an empty data folder of its own. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "./servers.ts";

export interface Alertmanager {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Its program, from PEERS_BIN or PATH, under Debian's name or its own; undefined where there is none. */
export function findAlertmanager(): string | undefined {
  for (const dir of [process.env.PEERS_BIN, ...(process.env.PATH ?? "").split(":")]) {
    for (const name of ["prometheus-alertmanager", "alertmanager"]) {
      if (dir !== undefined && dir !== "" && existsSync(join(dir, name))) return join(dir, name);
    }
  }
  return undefined;
}

/** @param config the text of its configuration file. Rejects when it is not ready within 10 s. */
export async function startAlertmanager(command: string, config: string): Promise<Alertmanager> {
  const dir = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), "bench-alertmanager-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  writeFileSync(join(dir, "alertmanager.yml"), config);
  const args = [
    `--config.file=${dir}/alertmanager.yml`,
    `--storage.path=${dir}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    "--cluster.listen-address=",
    "--log.level=error",
  ];
  const child = spawn(...withTemplates(command, args), { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for (let left = 200; ; left--) {
    const ready = await fetch(`${url}/-/ready`).then(
      (r) => r.ok,
      () => false,
    );
    if (ready) break;
    if (left === 0) throw new Error(`${command} did not get ready`);
    await sleep(50);
  }
  return {
    url,
    pid: child.pid as number,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/**
 * Debian's build looks for its templates in /usr/share. One that is unpacked elsewhere finds them there in a mount namespace of its
 * own, where nothing outside of it changes.
 */
function withTemplates(command: string, args: readonly string[]): [string, string[]] {
  const wanted = "/usr/share/prometheus/alertmanager";
  const unpacked = join(dirname(realpathSync(command)), "../share/prometheus/alertmanager");
  if (existsSync(wanted) || !existsSync(unpacked)) return [command, [...args]];
  const script = `mount -t tmpfs none /usr/share && mkdir -p ${dirname(wanted)} && ln -s "$0" ${wanted} && exec "$@"`;
  return ["unshare", ["-rm", "sh", "-c", script, unpacked, command, ...args]];
}
