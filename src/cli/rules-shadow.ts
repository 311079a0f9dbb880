import { chmodSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { editShadow, ShadowEditError } from "../actors/rule/shadow-edit.ts";
import type { ShadowEditJson, ShadowRuleJson, TallyJson } from "../api/routes/shadow.ts";
import { formatDuration } from "../lib/duration.ts";
import { type ApiServer, callApi } from "./api-call.ts";

export interface ShadowListOptions extends ApiServer {
  readonly output: string;
}

export interface TurnOptions extends ApiServer {
  readonly group: string;
  readonly rule?: string;
  readonly namespace?: string;
  readonly file?: string;
  readonly write?: boolean;
}

const say = (text: string) => void process.stdout.write(`${text}\n`);
const complain = (text: string) => void process.stderr.write(`error: ${text}\n`);

/** `tocsin rules shadow`. Returns the exit code: 1 when there is no answer. */
export async function listShadow(options: ShadowListOptions): Promise<number> {
  const answer = await callApi<{ readonly rules: readonly ShadowRuleJson[] }>(options, "/api/v1/shadow-rules");
  if (answer?.data === undefined) {
    if (answer !== undefined) complain(answer.error || `status ${answer.status}`);
    return 1;
  }
  const { rules } = answer.data;
  if (options.output === "json") say(JSON.stringify(answer.data));
  else if (rules.length === 0) say("no shadow rules");
  else for (const rule of rules) say(describe(rule));
  return 0;
}

function describe(rule: ShadowRuleJson): string {
  const { file, group, name, state, tally, firing, pending, live, longestNow } = rule;
  const now = firing > 0 ? `${firing} firing now, the longest for ${span(longestNow)}` : "none firing now";
  const lines = [`${name}  ${state}  ${file} ${group}`, `    shadow: ${counts(tally)}; ${now}, ${pending} pending`];
  if (live === null) return [...lines, "    no live rule of this name"].join("\n");
  lines.push(`    live:   ${counts(live.tally)}; ${live.firing} firing now  (${live.file} ${live.group})`);
  const labels = (set: Readonly<Record<string, string>>) =>
    `{${Object.entries(set)
      .map(([k, v]) => `${k}=${JSON.stringify(v)}`)
      .join(", ")}}`;
  for (const set of live.onlyShadow) lines.push(`    + would page:          ${labels(set)}`);
  for (const set of live.onlyLive) lines.push(`    - would no longer page: ${labels(set)}`);
  return lines.join("\n");
}

function counts(tally: TallyJson | null): string {
  if (tally === null) return "not counted yet";
  const { since, fired, episodes, longest, most } = tally;
  return `${fired} fired in ${episodes} ${episodes === 1 ? "episode" : "episodes"} since ${since}, at most ${most} at once, the longest for ${span(longest)}`;
}

function span(seconds: number): string {
  return formatDuration(Math.round(seconds) * 1000);
}

/** `tocsin rules promote` and `demote`. Returns the exit code: 0 when it is so now, 1 when not. */
export async function turnRules(shadow: boolean, options: TurnOptions): Promise<number> {
  const { group, rule, namespace, file } = options;
  const form = new URLSearchParams({ group });
  if (rule !== undefined) form.set("rule", rule);
  if (namespace !== undefined) form.set("namespace", namespace);
  if (file !== undefined) form.set("file", file);
  const answer = await callApi<ShadowEditJson>(options, `/api/v1/shadow-rules/${shadow ? "demote" : "promote"}`, form);
  if (answer === undefined) return 1;
  const what = `${rule ?? "the alert rules"} of ${group}`;
  const done = `${what}: ${shadow ? "shadow, nobody is told any more" : "live from the next evaluation on"}`;
  if (answer.status === 202) {
    say(done);
    return 0;
  }
  if (answer.status !== 409 || answer.data === undefined) {
    complain(answer.error || `status ${answer.status}`);
    return 1;
  }
  if (options.write !== true) {
    say(`${what} come from a file; change it as below, or give --write:`);
    for (const { line, before, after } of answer.data.edits) {
      say(`${answer.data.file}:${line}`);
      say(`-${before}\n${after.replaceAll(/^/gm, "+")}`);
    }
    return 1;
  }
  const target = answer.data.file;
  try {
    write(
      target,
      editShadow(readFileSync(target, "utf8"), { group, shadow, ...(rule === undefined ? {} : { rule }) }).text,
    );
  } catch (e) {
    const known = e instanceof ShadowEditError || (e as NodeJS.ErrnoException).code !== undefined;
    if (!known) throw e;
    complain(`${target} is not changed: ${(e as Error).message}`);
    return 1;
  }
  const reloaded = await callApi(options, "/-/reload", new URLSearchParams());
  if (reloaded === undefined || reloaded.status >= 300) {
    complain(`${target} is changed, and the server has not read it: ${reloaded?.error ?? "no answer"}`);
    return 1;
  }
  say(`${target} is changed. ${done}`);
  return 0;
}

/** The whole file or nothing of it; its permissions stay. */
function write(path: string, text: string): void {
  // Behind a link the file is another one, and the link stays.
  const target = realpathSync(path);
  const beside = `${target}.tocsin-new`;
  writeFileSync(beside, text);
  chmodSync(beside, statSync(target).mode);
  renameSync(beside, target);
}
