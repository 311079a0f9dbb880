import { isWantedVersion } from "./server-version.ts";

/** Frames are at most 256 KiB; agents may send larger bodies to the ingest subject. Both ends refuse more. */
export const MAX_PAYLOAD_BYTES = 8 << 20;

export interface ServerConf {
  readonly serverName: string;
  readonly host: string;
  readonly port: number;
  /** Absolute paths. */
  readonly storeDir: string;
  readonly pidFile: string;
  /** Upper bound of what all streams together may reserve, bytes. */
  readonly maxStoreBytes: number;
  readonly serverVersion: string;
}

/** The configuration file of the embedded server. */
export function formatServerConf(c: ServerConf): string {
  const always = isWantedVersion(c.serverVersion);
  return `# Written by tocsin at every start; changes are lost.
server_name: ${quoted(c.serverName)}
listen: ${quoted(c.host.includes(":") ? `[${c.host}]:${c.port}` : `${c.host}:${c.port}`)}
pid_file: ${quoted(c.pidFile)}
max_payload: ${MAX_PAYLOAD_BYTES}
max_pending: ${64 << 20}
jetstream {
  store_dir: ${quoted(c.storeDir)}
  max_memory_store: ${64 << 20}
  max_file_store: ${c.maxStoreBytes}
${always ? "  # An acknowledged message is on disk.\n  sync_interval: always\n" : ""}}
`;
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
}
