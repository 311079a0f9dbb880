/** How one attempt went. `retry`: trying the same again may help, after `retryAfterMs` where the provider asked for it. */
export type Attempt =
  | { readonly ok: true }
  | { readonly ok: false; readonly retry: boolean; readonly reason: string; readonly retryAfterMs?: number };

/** One request to a provider. */
export interface OutgoingRequest {
  readonly method: "POST" | "PUT";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface ProviderAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  /** Its beginning. */
  readonly text: string;
}

/** What came of a request, by the provider's rules. */
export type Judge = (answer: ProviderAnswer) => Attempt;

export function jsonRequest(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): OutgoingRequest {
  return {
    method: "POST",
    url,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  };
}

/** 2xx is a success; 429, 5xx and `alsoRetry` may go better later, anything else will not. */
export function judgeStatus(answer: ProviderAnswer, alsoRetry: readonly number[] = [], said = answer.text): Attempt {
  const { status } = answer;
  if (status >= 200 && status < 300) return { ok: true };
  const retry = status >= 500 || status === 429 || alsoRetry.includes(status);
  const after = retryAfterMs(answer.headers["retry-after"], Date.now());
  return {
    ok: false,
    retry,
    reason: `unexpected status code ${status}${said === "" ? "" : `: ${said}`}`,
    ...(retry && after !== undefined ? { retryAfterMs: after } : {}),
  };
}

/** How long the header Retry-After (RFC 9110, 10.2.3) asks to wait: seconds or a date; undefined when it is neither. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? "";
  // Fractions are not in the RFC; some send them all the same.
  if (/^\d+(\.\d+)?$/.test(text)) return Math.ceil(Number(text) * 1000);
  // Dates have letters; what Date.parse makes of "-5" is none.
  const date = /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** The object that an answer holds; empty when it holds none. */
export function answeredObject(answer: ProviderAnswer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(answer.text);
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  } catch {
    return {};
  }
}
