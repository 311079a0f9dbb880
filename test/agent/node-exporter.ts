import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { parseExposition } from "../../src/streams/codec/exposition.ts";
import { expositionLabels } from "../../src/streams/codec/exposition-labels.ts";

/** Path of the real node_exporter; undefined when the machine has none. */
export function findNodeExporter(): string | undefined {
  for (const name of ["prometheus-node-exporter", "node_exporter"]) {
    try {
      return execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next name.
    }
  }
  return undefined;
}

/** Starts it on a free port; its address, once it answers. */
export async function startNodeExporter(binary: string): Promise<{ address: string; stop(): void }> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = `127.0.0.1:${(probe.address() as { port: number }).port}`;
  probe.close();
  const child: ChildProcess = spawn(binary, [`--web.listen-address=${address}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await new Promise<void>((resolve, reject) => {
    let log = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      log += chunk;
      if (/Listening on|TLS is disabled/.test(log)) resolve();
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`node_exporter exited with ${code}: ${log}`)));
  });
  return { address, stop: () => void child.kill("SIGKILL") };
}

/** Series of an exposition text: by name, the label sets (name left out, as sorted JSON) and their values. */
export function seriesByName(text: string): Map<string, Map<string, number>> {
  const bytes = Buffer.from(text);
  const out = new Map<string, Map<string, number>>();
  parseExposition(bytes, {
    sample: (start, end, value) => {
      const labels = expositionLabels(bytes, start, end);
      if ("duplicate" in labels) throw new Error(`label ${labels.duplicate} twice`);
      addSeries(out, labels, value);
    },
  });
  return out;
}

export function addSeries(out: Map<string, Map<string, number>>, labels: readonly string[], value: number): void {
  const pairs: Record<string, string> = {};
  let name = "";
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === "__name__") name = labels[i + 1] as string;
    else pairs[labels[i] as string] = labels[i + 1] as string;
  }
  const sets = out.get(name) ?? new Map<string, number>();
  sets.set(JSON.stringify(pairs), value);
  out.set(name, sets);
}
