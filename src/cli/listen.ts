import { createServer } from "node:net";
import { parseBaseUrl } from "../config/schema/scalars.ts";

/** The address of the page and API cannot be used. */
export class ListenError extends Error {
  override name = "ListenError";
}

export interface ListenOption {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[v6]:PORT` or `:PORT` (all addresses). Throws ListenError. */
export function parseListenOption(text: string): ListenOption {
  const m = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(m?.[3]);
  if (m === null || port > 65535) throw new ListenError(`--listen ${JSON.stringify(text)} is not HOST:PORT`);
  return { host: m[1] ?? (m[2] || "0.0.0.0"), port };
}

/** Rejects with ListenError when the address is taken: said before minutes of work are begun, not after. */
export function checkFree({ host, port }: ListenOption): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", (e: NodeJS.ErrnoException) => reject(explainListen(e, { host, port })));
    probe.listen(port, host, () => probe.close(() => resolve()));
  });
}

export function explainListen(e: NodeJS.ErrnoException, { host, port }: ListenOption): ListenError {
  if (e.code === "EADDRINUSE") {
    return new ListenError(
      `${host}:${port} is in use: stop what listens there or choose another address with --listen`,
    );
  }
  return new ListenError(`cannot listen on ${host}:${port}: ${e.message}`);
}

export function urlOf({ host, port }: ListenOption): string {
  const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return `http://${shown}:${port}`;
}

/** What links begin with: the option, the configuration's key, or the address. Throws ListenError for an option that is no URL. */
export function externalUrlOf(
  option: string | undefined,
  configured: string | undefined,
  address: ListenOption,
): string {
  if (option === undefined) return configured ?? urlOf(address);
  try {
    return parseBaseUrl(option);
  } catch (e) {
    throw new ListenError(`--external-url: ${(e as Error).message}`);
  }
}
