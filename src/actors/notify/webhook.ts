import type { WebhookConfig } from "../alert/alertmanager-config.ts";

/** How one attempt went. `retry`: trying the same again may help. */
export type Attempt = { readonly ok: true } | { readonly ok: false; readonly retry: boolean; readonly reason: string };

/** Time for one attempt where the configuration sets none. */
export const DEFAULT_TIMEOUT_MS = 30_000;

/** Posts the body once. Never rejects but for the abort of `signal`. */
export async function postWebhook(
  config: WebhookConfig,
  body: Uint8Array | string,
  userAgent: string,
  signal: AbortSignal,
): Promise<Attempt> {
  const timeoutMs = config.timeoutMs > 0 ? config.timeoutMs : DEFAULT_TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(config.url, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": userAgent, ...config.http.headers },
      body,
      redirect: config.http.followRedirects ? "follow" : "manual",
      signal: AbortSignal.any([signal, timeout]),
    });
    const text = await readStart(response);
    if (response.status >= 200 && response.status < 300) return { ok: true };
    const said = text === "" ? "" : `: ${text}`;
    return {
      ok: false,
      retry: response.status >= 500 || response.status === 429,
      reason: `unexpected status code ${response.status}${said}`,
    };
  } catch (error) {
    if (signal.aborted) throw error;
    if (timeout.aborted) return { ok: false, retry: true, reason: `no answer within ${timeoutMs} ms` };
    return { ok: false, retry: true, reason: reasonOf(error) };
  }
}

/** The beginning of the answer, for the error message; the rest is not read. */
async function readStart(response: Response): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  let text = "";
  const decoder = new TextDecoder();
  try {
    while (text.length < 512) {
      const { done, value } = await reader.read();
      if (done) return text.trim();
      text += decoder.decode(value, { stream: true });
    }
    return `${text.slice(0, 512).trim()}…`;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function reasonOf(error: unknown): string {
  const e = error as { message?: string; cause?: { code?: string; message?: string } };
  return e.cause?.code ?? e.cause?.message ?? e.message ?? String(error);
}
