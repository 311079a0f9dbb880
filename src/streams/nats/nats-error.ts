/** Why the bus cannot be used. The code decides what the caller does; the message says what a person should do. */
export type NatsErrorCode =
  /** No usable nats-server binary could be found or obtained. */
  | "no_server_binary"
  /** The embedded server did not start, or ended. */
  | "server_failed"
  /** Nobody answers at the URL. */
  | "unreachable"
  /** The server refused the credentials. */
  | "unauthorized"
  /** The server runs without JetStream, or the account may not use it. */
  | "no_jetstream"
  /** A stream could not be made as it is needed. */
  | "provisioning"
  /** The stream was deleted and made anew, or lost messages it had: what was read before does not continue. */
  | "stream_replaced"
  | "closed";

export class NatsError extends Error {
  readonly code: NatsErrorCode;
  constructor(code: NatsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "NatsError";
    this.code = code;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message || error.name : String(error);
}
