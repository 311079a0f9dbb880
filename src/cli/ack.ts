import { userInfo } from "node:os";

export interface AckOptions {
  readonly url: string;
  readonly by?: string;
  readonly comment?: string;
}

interface Escalation {
  readonly id: string;
  readonly escalation: string;
  readonly state: string;
  readonly groupKey: string;
  readonly startedAt: string;
  readonly paged: readonly string[];
  readonly acknowledgement: { readonly by: string; readonly until: string | null } | null;
}

/** `tocsin ack`: acknowledges an escalation, or lists those that go on when none is named. The exit code: 1 when it was refused. */
export async function acknowledge(id: string | undefined, options: AckOptions): Promise<number> {
  if (id === undefined) {
    const listed = await call<{ escalations: Escalation[] }>(options, "escalations?escalation_state=active&limit=0");
    if (listed === undefined) return 1;
    for (const e of listed.escalations) {
      const who =
        e.acknowledgement === null ? `paged ${e.paged.join(", ") || "nobody yet"}` : `by ${e.acknowledgement.by}`;
      process.stdout.write(`${e.id}  ${e.state}  ${who}  ${e.escalation}  ${e.groupKey}  since ${e.startedAt}\n`);
    }
    return 0;
  }
  const body = { by: options.by ?? userInfo().username, comment: options.comment ?? "", via: "cli" };
  const done = await call<Escalation>(options, `escalations/${encodeURIComponent(id)}/ack`, body);
  if (done === undefined) return 1;
  const until = done.acknowledgement?.until ?? null;
  const how = until === null ? "as long as the alerts fire" : `until ${until}`;
  process.stdout.write(`${done.id} acknowledged by ${done.acknowledgement?.by ?? ""}, ${how}\n`);
  return 0;
}

/** Undefined when there is no good answer; the reason is printed. */
async function call<T>({ url }: AckOptions, path: string, body?: unknown): Promise<T | undefined> {
  const target = `${url.replace(/\/+$/, "")}/api/v1/${path}`;
  try {
    const response = await fetch(target, {
      method: body === undefined ? "GET" : "POST",
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as { data?: T; error?: string };
    if (answer.data !== undefined && response.ok) return answer.data;
    process.stderr.write(`error: ${answer.error ?? `status ${response.status}`}\n`);
  } catch (e) {
    const cause = (e as { cause?: { code?: string } }).cause?.code ?? (e as Error).message;
    process.stderr.write(`error: ${url} does not answer as Tocsin does (${cause})\n`);
  }
  return undefined;
}
