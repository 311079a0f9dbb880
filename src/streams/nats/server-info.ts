import { connect } from "node:net";

/** What a NATS server says about itself to whoever connects. */
export interface NatsServerInfo {
  readonly server_name: string;
  readonly version: string;
  readonly jetstream?: boolean;
  readonly max_payload: number;
}

/** Connects and reads the greeting. Rejects when nobody listens, or when it is not a NATS server. */
export function readServerInfo(host: string, port: number, timeoutMs = 2_000): Promise<NatsServerInfo> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    let text = "";
    const fail = (why: Error) => {
      socket.destroy();
      reject(why);
    };
    socket.setTimeout(timeoutMs, () => fail(new Error("no greeting")));
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("closed without a greeting")));
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
      const end = text.indexOf("\r\n");
      if (end < 0) return;
      try {
        if (!text.startsWith("INFO ")) throw new Error("not a NATS server");
        const info: NatsServerInfo = JSON.parse(text.slice(5, end));
        socket.destroy();
        resolve(info);
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}
