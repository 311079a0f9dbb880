import { chmodSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { editShadow, ShadowEditError } from "../actors/rule/shadow-edit.ts";
import type {
  ShadowCandidateJson,
  ShadowCandidatesJson,
  ShadowEditJson,
  ShadowRuleJson,
  TallyJson,
} from "../api/routes/shadow.ts";
import { formatDuration } from "../lib/duration.ts";
import { type ApiServer, callApi } from "./api-call.ts";

export interface ShadowListOptions extends ApiServer {
  readonly output: string;
}

export interface TurnOptions extends ApiServer {
  readonly group?: string;
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

/** `tocsin rules promote` and `demote`. Returns the exit code: 0 when it is so now, 1 when not, 2 when what was asked is wrong. */
export async function turnRules(shadow: boolean, alert: string | undefined, options: TurnOptions): Promise<number> {
  const { group, namespace, file } = options;
  const verb = shadow ? "demote" : "promote";
  if (alert !== undefined && options.rule !== undefined && alert !== options.rule) {
    complain(`two rules are named, ${alert} and ${options.rule}: leave --rule out`);
    return 2;
  }
  const rule = alert ?? options.rule;
  if (group === undefined && rule === undefined) {
    complain(`which one? tocsin rules ${verb} <alert>, or --group <name> for all alert rules of a group`);
    return 2;
  }
  const form = new URLSearchParams();
  for (const [key, value] of Object.entries({ group, rule, namespace, file })) {
    if (value !== undefined) form.set(key, value);
  }
  const answer = await callApi<ShadowEditJson & ShadowCandidatesJson>(options, `/api/v1/shadow-rules/${verb}`, form);
  if (answer === undefined) return 1;
  const what = group === undefined ? `${rule}` : `${rule ?? "the alert rules"} of ${group}`;
  const done = `${what}: ${shadow ? "shadow, nobody is told any more" : "live from the next evaluation on"}`;
  if (answer.status === 202) {
    say(done);
    return 0;
  }
  if (answer.status === 400 && answer.data?.candidates !== undefined) {
    complain(`${rule ?? `group ${group}`} is in several places, and nothing is changed; say which:`);
    for (const one of answer.data.candidates)
      process.stderr.write(`  tocsin rules ${verb} ${argumentsOf(one, rule)}\n`);
    return 1;
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
      editShadow(readFileSync(target, "utf8"), {
        group: answer.data.group,
        shadow,
        ...(rule === undefined ? {} : { rule }),
      }).text,
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

/** What names this one and no other, as a shell takes it. */
function argumentsOf({ group, namespace, file }: ShadowCandidateJson, rule: string | undefined): string {
  const word = (text: string) => (/^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const place = namespace === undefined ? `--file ${word(file ?? "")}` : `--namespace ${word(namespace)}`;
  return `${rule === undefined ? "" : `${word(rule)} `}--group ${word(group)} ${place}`;
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
