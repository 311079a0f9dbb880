import { createServer } from "node:net";
import { messageOf, NatsError } from "./nats-error.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[v6]:PORT` or `:PORT` (loopback). Throws NatsError "server_failed" for anything else. */
export function parseListen(listen: string): ListenAddress {
  const m = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(listen);
  const port = Number(m?.[3]);
  if (m === null || port > 65535) {
    throw new NatsError("server_failed", `streams.listen: ${JSON.stringify(listen)} is not HOST:PORT`);
  }
  return { host: m[1] ?? (m[2] || "127.0.0.1"), port };
}

/**
 * The address to start the embedded server on: the wanted one, or a free port of the same host when it is taken or 0.
 * `taken` says that the wanted port was in use.
 */
export async function chooseListen(wanted: ListenAddress): Promise<ListenAddress & { readonly taken: boolean }> {
  if (wanted.port !== 0 && (await canListen(wanted))) return { ...wanted, taken: false };
  return { host: wanted.host, port: await freePort(wanted.host), taken: wanted.port !== 0 };
}

function canListen(address: ListenAddress): Promise<boolean> {
  return listenOnce(address).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE" || error.code === "EACCES") return false;
      throw new NatsError("server_failed", `streams.listen: cannot listen on ${address.host}: ${messageOf(error)}`);
    },
  );
}

export async function freePort(host = "127.0.0.1"): Promise<number> {
  return await listenOnce({ host, port: 0 });
}

function listenOnce(address: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on("error", reject);
    probe.listen(address.port, address.host, () => {
      const bound = probe.address();
      probe.close(() => resolve(bound !== null && typeof bound === "object" ? bound.port : address.port));
    });
  });
}
