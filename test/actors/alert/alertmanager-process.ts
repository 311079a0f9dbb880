import { spawn } from "node:child_process";
import { existsSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/free-port.ts";

export interface AlertmanagerProcess {
  readonly url: string;
  kill(): void;
}

/** Starts a real Alertmanager with a configuration, in a folder of its own; resolves when it answers. */
export async function startAlertmanager(binary: string, folder: string, config: string): Promise<AlertmanagerProcess> {
  writeFileSync(join(folder, "am.yml"), config);
  const port = await freePort();
  const [command, ...args] = commandOf(binary);
  const child = spawn(
    command,
    [
      ...args,
      `--config.file=${join(folder, "am.yml")}`,
      `--storage.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--cluster.listen-address=",
    ],
    { stdio: "ignore" },
  );
  let exited = false;
  child.on("exit", () => {
    exited = true;
  });
  while (!(await answers(port))) {
    if (exited) throw new Error("Alertmanager ended at its start");
    await sleep(50);
  }
  return { url: `http://127.0.0.1:${port}`, kill: () => void child.kill("SIGKILL") };
}

/**
 * Debian's Alertmanager wants its templates in /usr/share. Unpacked elsewhere it gets them there in a mount namespace of
 * its own, where nothing outside of it changes.
 */
function commandOf(binary: string): [string, ...string[]] {
  const wanted = "/usr/share/prometheus/alertmanager";
  const unpacked = join(dirname(realpathSync(binary)), "../share/prometheus/alertmanager");
  if (existsSync(wanted) || !existsSync(unpacked)) return [binary];
  const script = `mount -t tmpfs none /usr/share && mkdir -p ${dirname(wanted)} && ln -s "$0" ${wanted} && exec "$@"`;
  return ["unshare", "-rm", "sh", "-c", script, unpacked, binary];
}

async function answers(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/-/ready`).then(
    (r) => r.ok,
    () => false,
  );
}
