/** The agent of the benchmarks that publish frames: a process of its own (native-agent.ts). */
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Server } from "./servers.ts";

export interface Agent {
  readonly process: ChildProcess;
  /** What it says next. Rejects when it ends without. */
  said(): Promise<unknown>;
}

/** Starts one that writes to the server's bus; `end` is the time of the last round, Unix ms. */
export function startAgent(server: Server, series: number, rounds: number, end: number, intervalMs: number): Agent {
  const bus = /answers on (nats:\/\/[\d.:]+)/.exec(readFileSync(join(server.dir, "log"), "utf8"))?.[1];
  if (bus === undefined) throw new Error(`no address of the bus in ${server.dir}/log`);
  const args = [bus, series, rounds, end, intervalMs].map(String);
  const agent = fork(join(import.meta.dirname, "../native-agent.ts"), args);
  return {
    process: agent,
    said: () =>
      new Promise((resolve, reject) => {
        agent.once("message", resolve);
        agent.once("exit", (code) => reject(new Error(`the agent ended with ${code}`)));
      }),
  };
}
