import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseDocument } from "yaml";
import type { AlertmanagerConfig } from "../actors/alert/alertmanager-config.ts";
import { loadAlertmanagerConfig } from "../actors/alert/load-config.ts";
import { makeAttempt } from "../actors/notify/make-attempt.ts";
import { makeTestSender, TestSendError, type TestSent, type TestWanted } from "../actors/notify/test-send.ts";
import { ConfigError } from "../model/config.ts";
import { type ApiServer, callApi } from "./api-call.ts";
import { loadAll } from "./load-all.ts";

export interface TestReceiverOptions extends ApiServer {
  readonly label?: readonly string[];
  readonly annotation?: readonly string[];
  readonly resolve: boolean;
  readonly config?: string;
  readonly output: string;
}

/** `tocsin test receiver`. Returns the exit code: 0 delivered by all, 1 not, 2 when what was asked is wrong. */
export async function testReceiver(name: string, options: TestReceiverOptions): Promise<number> {
  const labels = pairs("--label", options.label);
  const annotations = pairs("--annotation", options.annotation);
  if (labels === "wrong" || annotations === "wrong") return 2;
  const wanted: TestWanted = {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    resolve: options.resolve,
  };
  const sent =
    options.config === undefined ? await ask(name, wanted, options) : await sendHere(name, wanted, options.config);
  if (sent === undefined) return 1;
  if (options.output === "json") process.stdout.write(`${JSON.stringify(sent)}\n`);
  else for (const line of describe(sent)) process.stdout.write(`${line}\n`);
  return sent.results.every((r) => r.delivered && r.resolved?.delivered !== false) ? 0 : 1;
}

function pairs(option: string, given: readonly string[] | undefined): Record<string, string> | undefined | "wrong" {
  if (given === undefined) return undefined;
  const out: Record<string, string> = {};
  for (const text of given) {
    const at = text.indexOf("=");
    if (at <= 0) {
      process.stderr.write(`error: ${option} ${JSON.stringify(text)}: write it as name=value\n`);
      return "wrong";
    }
    out[text.slice(0, at)] = text.slice(at + 1);
  }
  return out;
}

async function ask(name: string, wanted: TestWanted, options: ApiServer): Promise<TestSent | undefined> {
  const answer = await callApi<TestSent>(options, `/api/v1/receivers/${encodeURIComponent(name)}/test`, wanted);
  if (answer === undefined) return undefined;
  if (answer.data !== undefined) return answer.data;
  process.stderr.write(`error: ${answer.error || `status ${answer.status}`}\n`);
  return undefined;
}

async function sendHere(name: string, wanted: TestWanted, file: string): Promise<TestSent | undefined> {
  try {
    const sender = makeTestSender({
      config: () => config,
      externalUrl: "",
      attempt: (integration, n, heard) => makeAttempt(integration, n, "Tocsin", Date.now(), heard),
      // Without a server there is no stream.
      event: () => {},
      now: Date.now,
    });
    const config = read(resolve(file));
    return await sender.send(name, wanted);
  } catch (e) {
    const known =
      e instanceof ConfigError || e instanceof TestSendError || (e as NodeJS.ErrnoException).code === "ENOENT";
    if (!known) throw e;
    process.stderr.write(`error: ${(e as Error).message}\n`);
    return undefined;
  }
}

/** Alertmanager's configuration, or the one that Tocsin's names. */
function read(file: string): AlertmanagerConfig {
  const own = parseDocument(readFileSync(file, "utf8")).has("receivers");
  return own ? loadAlertmanagerConfig(file) : loadAll(file, { warn: () => {} }).alertmanager;
}

function describe({ receiver, results }: TestSent): string[] {
  return results.map(({ integration, delivered, status, ms, error, resolved }) => {
    // A reason that has the status says it once.
    const code = status === undefined || /status code \d/.test(error ?? "") ? "" : ` (status ${status})`;
    const ended =
      resolved === undefined ? "" : resolved.delivered ? ", and ended again" : `, not ended: ${resolved.error}`;
    const how = delivered ? `delivered${code} in ${ms} ms${ended}` : `failed${code} after ${ms} ms: ${error ?? ""}`;
    return `${receiver}/${integration}  ${how}`;
  });
}
