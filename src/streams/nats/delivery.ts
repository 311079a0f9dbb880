/**
 * A connection to the server on which messages of a consumer are delivered, and nothing else: beside the client's own
 * connection, since that one makes several copies of every message, and the garbage of them costs more than the reading.
 * It does not reconnect: who reads opens another one.
 */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Bus } from "./bus.ts";
import { type DeliveredMessage, makeDeliveryParser } from "./delivery-parser.ts";
import { NatsError } from "./nats-error.ts";
import { MAX_PAYLOAD_BYTES } from "./server-conf.ts";
import type { Slabs } from "./slabs.ts";

export interface Delivery {
  /** Tells the server no more to come and closes. */
  close(): void;
}

export interface DeliveryOptions {
  /** Subjects to listen on; the subscriptions to them are numbered from 0. */
  readonly subjects: readonly string[];
  readonly slabs: Slabs;
  readonly onMessage: (message: DeliveredMessage) => void;
  /** Told once, unless it was closed from here. */
  readonly onLost: (why: string) => void;
}

const READ_BYTES = 256 << 10;
/**
 * The server has so many looks' time to answer. Looks, not a time: while the thread is busy none is taken, and an answer that
 * lies there unread is no silence.
 */
const OPEN_LOOKS = 20;
const LOOK_MS = 250;
/** A message with its headers. */
const MAX_MESSAGE = MAX_PAYLOAD_BYTES + (1 << 20);

/** Opens one to the server that the bus is connected to. Rejects with NatsError "unreachable". */
export function openDelivery(bus: Bus, options: DeliveryOptions): Promise<Delivery> {
  const { host, port } = serverOf(bus);
  return new Promise((resolve, reject) => {
    let socket: Socket | undefined;
    let open = false;
    let done = false;
    const lost = (why: string) => {
      if (done) return;
      done = true;
      clearInterval(patience);
      socket?.destroy();
      if (open) options.onLost(why);
      else reject(new NatsError("unreachable", `${bus.url}: ${why}`));
    };
    let looks = 0;
    const patience = setInterval(() => {
      if (++looks === OPEN_LOOKS) lost(`no answer within ${OPEN_LOOKS * LOOK_MS} ms`);
    }, LOOK_MS);

    const greet = () => {
      const { user, pass, token } = bus.connection;
      const about = { verbose: false, pedantic: false, headers: true, no_responders: true, protocol: 1, echo: true };
      const who = { name: "tocsin delivery", lang: "tocsin", version: "1" };
      const auth = user !== undefined ? { user, pass } : token !== undefined ? { auth_token: token } : {};
      const subscribe = options.subjects.map((subject, i) => `SUB ${subject} ${i}\r\n`).join("");
      socket?.write(`CONNECT ${JSON.stringify({ ...about, ...who, ...auth })}\r\n${subscribe}PING\r\n`);
    };
    const parser = makeDeliveryParser(options.slabs, MAX_MESSAGE, {
      onMessage: options.onMessage,
      onPing: () => socket?.write("PONG\r\n"),
      // The server has taken the subscription.
      onPong: () => {
        if (open || done) return;
        open = true;
        clearInterval(patience);
        resolve({
          close: () => {
            done = true;
            socket?.destroy();
          },
        });
      },
      onInfo: (json) => {
        if (greeted) return;
        greeted = true;
        if (bus.connection.tls === undefined && !/"tls_required": ?true/.test(json)) return greet();
        const plain = socket as Socket;
        plain.removeAllListeners("data");
        socket = connectTls({ socket: plain, servername: host }, greet);
        socket.on("data", (chunk: Buffer) => parser.feed(chunk));
        watch(socket);
      },
      onError: lost,
    });
    let greeted = false;
    const watch = (s: Socket) => {
      s.setNoDelay(true);
      s.on("error", (error) => lost(error.message));
      s.on("close", () => lost("the connection was closed"));
    };
    const encrypted = bus.connection.tls !== undefined || bus.nc.info?.tls_required === true;
    if (encrypted) {
      socket = connectTcp({ host, port });
      socket.on("data", (chunk: Buffer) => parser.feed(chunk));
    } else {
      // One buffer for all that is read.
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
      const callback = (n: number, bytes: Uint8Array) => {
        parser.feed(bytes.subarray(0, n));
        return true;
      };
      socket = connectTcp({ host, port, onread: { buffer, callback } });
    }
    watch(socket);
  });
}

function serverOf(bus: Bus): { readonly host: string; readonly port: number } {
  const server = bus.nc.getServer();
  const at = server.lastIndexOf(":");
  return { host: server.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(server.slice(at + 1)) };
}
