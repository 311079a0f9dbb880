/** The calls of Prometheus's HTTP API that the page makes. Times are Unix seconds, as the API has them. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [time: number, value: string])[];
}
export interface Point {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}
export interface Answer<T> {
  readonly data: T;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}
export type Instant =
  | { readonly resultType: "vector"; readonly result: readonly Point[] }
  | { readonly resultType: "matrix"; readonly result: readonly Series[] }
  | { readonly resultType: "scalar" | "string"; readonly result: readonly [number, string] };

export interface Rule {
  readonly type: "alerting" | "recording";
  readonly name: string;
  readonly query: string;
  readonly state?: string;
  readonly duration?: number;
  /** Nobody is told of its alerts. */
  readonly shadow?: true;
  readonly health: string;
  readonly lastError?: string;
  readonly alerts?: readonly {
    readonly labels: Record<string, string>;
    readonly state: string;
    readonly activeAt: string;
  }[];
}
export interface RuleGroup {
  readonly name: string;
  readonly file: string;
  readonly rules: readonly Rule[];
}
export interface Target {
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly labels: Record<string, string>;
  readonly health: string;
  readonly lastError: string;
  readonly lastScrape: string;
  readonly lastScrapeDuration: number;
}

/** What the API answered with instead of data; `message` is its own text. */
export class ApiError extends Error {}

export async function call<T>(path: string, params: Record<string, string> = {}): Promise<Answer<T>> {
  const query = new URLSearchParams(params).toString();
  const response = await fetch(`api/v1/${path}${query === "" ? "" : `?${query}`}`, {
    headers: { accept: "application/json" },
  });
  const text = await response.text();
  let body: { status?: string; data?: T; error?: string; warnings?: string[]; infos?: string[] };
  try {
    body = JSON.parse(text);
  } catch {
    throw new ApiError(`${response.status} ${response.statusText}: ${text.slice(0, 200)}`);
  }
  if (body.status !== "success") throw new ApiError(body.error ?? `${response.status} ${response.statusText}`);
  return { data: body.data as T, warnings: body.warnings ?? [], infos: body.infos ?? [] };
}

export async function range(
  query: string,
  start: number,
  end: number,
  step: number,
): Promise<Answer<{ result: Series[] }>> {
  return call("query_range", { query, start: String(start), end: String(end), step: String(step) });
}

export async function instant(query: string): Promise<Answer<Instant>> {
  return call("query", { query });
}
