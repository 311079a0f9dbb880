import type { ExplainAnswer, ExplainStep, Explanation } from "../model/explain.ts";
import { formatLabels, labelsFromObject } from "../model/labels.ts";
import { formatCaret, placeOf } from "./query/caret.ts";
import { ask, ServerError } from "./query/client.ts";
import { type Io, processIo, tellError } from "./query/command.ts";
import { paint, visible, wrap } from "./query/terminal.ts";
import { parseSpan, parseWhen } from "./query/times.ts";

export interface WhyOptions {
  readonly time: string;
  readonly window?: string;
  readonly receiver?: string;
  readonly limit: string;
  readonly timeout?: string;
  readonly url: string;
  readonly server?: string;
  readonly tenant?: string;
  readonly json?: boolean;
}

/** `tocsin why`; returns the exit code, as those of `tocsin query`. */
export async function runWhy(labels: string, options: WhyOptions, io: Io = processIo(undefined)): Promise<number> {
  try {
    const server = {
      url: options.server ?? options.url,
      ...(options.tenant === undefined ? {} : { tenant: options.tenant }),
      timeoutMs: parseSpan(options.timeout ?? "30s", "--timeout"),
    };
    const params: [string, string][] = [["labels", labels]];
    if (options.time !== "now") params.push(["time", String(parseWhen(options.time, "--time", io.now()) / 1000)]);
    if (options.window !== undefined) params.push(["window", options.window]);
    if (options.receiver !== undefined) params.push(["receiver", options.receiver]);
    params.push(["limit", options.limit]);
    const { data } = await ask<ExplainAnswer>(server, "/api/v1/alerts/explain", params, "GET");
    io.write(options.json === true ? `${JSON.stringify(data)}\n` : `${describe(data, io).join("\n")}\n`);
    return 0;
  } catch (e) {
    const told = e instanceof ServerError && e.message.includes('"labels"') ? placeOf(e.message) : undefined;
    if (told === undefined) return tellError(io, e);
    io.complain(`${[`parse error: ${visible(told.text)}`, ...formatCaret(labels, told.place, io.err)].join("\n")}\n`);
    return 2;
  }
}

function describe(answer: ExplainAnswer, io: Io): string[] {
  const out: string[] = [];
  for (const instance of answer.instances) {
    if (out.length > 0) out.push("");
    out.push(...describeInstance(instance, answer, io));
  }
  if (answer.leftOut > 0) out.push("", `${answer.leftOut} more alerts fit: name more labels, or raise --limit`);
  for (const problem of answer.records.problems) out.push("", ...wrap(`note: ${visible(problem)}`, io.out.width, "  "));
  return out;
}

const COLORS = {
  paged: "green",
  not_paged: "red",
  pending: "yellow",
  inactive: "blue",
  unknown_alert: "yellow",
} as const;

function describeInstance(x: Explanation, { time, sentence }: ExplainAnswer, io: Io): string[] {
  const known = x.fingerprint !== null;
  const name = known ? formatLabels(labelsFromObject(x.labels)) : "";
  const lines = wrap(visible(known ? x.sentence : sentence), io.out.width, "  ");
  lines[0] = paint(io.out, COLORS[x.verdict], lines[0] as string);
  if (known) lines.push(`${visible(name)}  at ${time}`);
  for (const step of x.chain) lines.push(...describeStep(step, io));
  for (const advice of x.advice) lines.push(...wrap(`what to do: ${visible(advice)}`, io.out.width, "  "));
  return lines;
}

const STAGE_WIDTH = 16;

function describeStep(step: ExplainStep, io: Io): string[] {
  const at = step.at === null ? "-" : step.at;
  const mark = step.source === "recomputed" ? " (recomputed)" : "";
  const head = `  ${at.padEnd(24)}  ${step.stage.padEnd(STAGE_WIDTH)}`;
  return wrap(`${head}${visible(step.because)}${mark}`, io.out.width, " ".repeat(head.length));
}
