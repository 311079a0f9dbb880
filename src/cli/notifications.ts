import type { DeadLetterJson, RedrivenJson } from "../api/routes/dead-letters.ts";
import { ask } from "./query/client.ts";
import { processIo, tellError } from "./query/command.ts";

export interface NotificationsOptions {
  readonly url: string;
  readonly receiver?: string;
  readonly output: string;
}

export interface RedriveOptions extends NotificationsOptions {
  readonly all?: boolean;
}

const PATH = "/api/v1/notifications/dead-letters";

/** `tocsin notifications`; returns the exit code, as those of `tocsin query`. */
export async function runNotifications(options: NotificationsOptions): Promise<number> {
  const io = processIo(undefined);
  try {
    const params: [string, string][] = options.receiver === undefined ? [] : [["receiver_name", options.receiver]];
    const { data } = await ask<{ readonly deadLetters: readonly DeadLetterJson[] }>(options, PATH, params, "GET");
    if (options.output === "json") io.write(`${JSON.stringify(data)}\n`);
    else if (data.deadLetters.length === 0) io.write("no dead letters\n");
    for (const letter of options.output === "json" ? [] : data.deadLetters) io.write(`${describe(letter)}\n`);
    return 0;
  } catch (e) {
    return tellError(io, e);
  }
}

/** `tocsin redrive`; returns the exit code: 1 when one could not be sent. */
export async function runRedrive(ids: readonly string[], options: RedriveOptions): Promise<number> {
  const io = processIo(undefined);
  if (ids.length === 0 && options.receiver === undefined && options.all !== true) {
    io.complain("error: which ones? Give ids of `tocsin notifications`, --receiver or --all\n");
    return 2;
  }
  try {
    const params: [string, string][] = ids.map((id) => ["id[]", id]);
    if (options.receiver !== undefined) params.push(["receiver_name", options.receiver]);
    if (options.all === true) params.push(["all", "true"]);
    const { data } = await ask<{ readonly redriven: readonly RedrivenJson[] }>(options, `${PATH}/redrive`, params);
    if (options.output === "json") io.write(`${JSON.stringify(data)}\n`);
    for (const { id, receiver, integration, result, reason } of options.output === "json" ? [] : data.redriven) {
      io.write(`${id}  ${receiver}/${integration}  ${result}${reason === undefined ? "" : `: ${reason}`}\n`);
    }
    if (options.output !== "json" && data.redriven.length === 0) io.write("no dead letters\n");
    return data.redriven.some((r) => r.result === "failed") ? 1 : 0;
  } catch (e) {
    return tellError(io, e);
  }
}

function describe(letter: DeadLetterJson): string {
  const { id, receiver, integration, since, last, failures, reason, groupKey, firing, resolved } = letter;
  const when = since === last ? since : `${since} to ${last}`;
  return [
    `${id}  ${receiver}/${integration}  ${groupKey}`,
    `    ${firing} firing, ${resolved} resolved; failed ${failures === 1 ? "once" : `${failures} times`}, ${when}`,
    `    ${reason}`,
  ].join("\n");
}
