/** The server that is asked. */
export interface ApiServer {
  readonly url: string;
  readonly tenant?: string;
}

/** What it answered, whatever the status. */
export interface ApiAnswer<T> {
  readonly status: number;
  readonly data: T | undefined;
  readonly error: string;
}

/** Calls the HTTP API with JSON or a form. Undefined when nothing that answers as Tocsin does is there; the reason is printed. */
export async function callApi<T>(
  { url, tenant }: ApiServer,
  path: string,
  body?: URLSearchParams | object,
): Promise<ApiAnswer<T> | undefined> {
  const form = body instanceof URLSearchParams;
  try {
    const base = new URL(/^https?:\/\//.test(url) ? url : `http://${url}`);
    const headers: Record<string, string> = body === undefined || form ? {} : { "content-type": "application/json" };
    if (tenant !== undefined) headers["x-scope-orgid"] = tenant;
    if (base.username !== "") {
      const credentials = `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}`;
      headers.authorization = `Basic ${Buffer.from(credentials).toString("base64")}`;
    }
    const response = await fetch(`${base.origin}${base.pathname.replace(/\/+$/, "")}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers,
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const answer = (text.startsWith("{") ? JSON.parse(text) : { error: text.trim() }) as { data?: T; error?: string };
    return { status: response.status, data: answer.data ?? undefined, error: answer.error ?? "" };
  } catch (e) {
    const cause = (e as { cause?: { code?: string } }).cause?.code ?? (e as Error).message;
    process.stderr.write(`error: ${url} does not answer as Tocsin does (${cause})\n`);
    return undefined;
  }
}
