/**
 * A process that writes at a rate until it is told to end (SIGTERM): `node writer.ts <url> <series> <samples a second>`. Every series
 * gets one sample a round, and rounds follow one another at the rate. Prints what was acknowledged as JSON when it ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { FLEET_PER_REQUEST, fleetLabels, fleetRequest } from "./fleet.ts";
import { postAll } from "./load.ts";
import { snappyLiteral } from "./remote-write-body.ts";

export interface Written {
  /** Samples that were acknowledged. */
  readonly samples: number;
  readonly seconds: number;
  /** Requests that were sent again. */
  readonly retried: number;
  /** The most that a request was behind its time. */
  readonly behindMs: number;
  /** Time of the first and the last samples, Unix ms. */
  readonly from: number;
  readonly to: number;
}

/** Requests under way at a time. */
const IN_FLIGHT = 8;

async function write(url: string, series: number, rate: number): Promise<void> {
  const labels = Array.from({ length: series }, (_, i) => fleetLabels(i));
  const start = Date.now();
  let ending = false;
  let samples = 0;
  let behindMs = 0;
  let to = start;
  process.once("SIGTERM", () => {
    ending = true;
  });
  /** Waits until each request's time has come; the workers take turns. */
  async function* paced(): AsyncGenerator<Buffer> {
    for (let round = 0; !ending; round++) {
      for (let from = 0; from < series && !ending; from += FLEET_PER_REQUEST) {
        const due = start + (1000 * (round * series + from)) / rate;
        const early = due - Date.now();
        if (early > 1) await new Promise((resolve) => setTimeout(resolve, early));
        behindMs = Math.max(behindMs, Date.now() - due);
        const count = Math.min(FLEET_PER_REQUEST, series - from);
        to = Math.round(start + (1000 * round * series) / rate);
        samples += count;
        yield snappyLiteral(fleetRequest(labels, from, count, round, to));
      }
    }
  }
  const { retried } = await postAll(url, paced(), IN_FLIGHT);
  const written: Written = { samples, seconds: (Date.now() - start) / 1000, retried, behindMs, from: start, to };
  process.stdout.write(JSON.stringify(written));
}

export interface Writer {
  /** Ends it; resolves once all that was sent is acknowledged. Rejects when something was refused. */
  end(): Promise<Written>;
}

/** Starts it. */
export function startWriter(url: string, series: number, rate: number): Writer {
  const args = [import.meta.filename, url, String(series), String(rate)];
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout?.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return {
    end: async () => {
      child.kill("SIGTERM");
      const code = await exit;
      if (code !== 0) throw new Error(`the writer ended with ${code}`);
      return JSON.parse(text) as Written;
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const [url, series, rate] = process.argv.slice(2);
  await write(url as string, Number(series), Number(rate));
}
