import { mkdtempSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AlertManager, makeAlertManager } from "../../../src/actors/alert/alert-manager.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { type Disk, DiskError, type DiskFile } from "../../../src/lib/disk.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

/** The body of Alertmanager's webhook. */
export interface WebhookBody {
  readonly receiver: string;
  readonly status: "firing" | "resolved";
  readonly alerts: readonly {
    readonly status: "firing" | "resolved";
    readonly labels: Record<string, string>;
    readonly annotations: Record<string, string>;
    readonly startsAt: string;
    readonly endsAt: string;
    readonly generatorURL: string;
    readonly fingerprint: string;
  }[];
  readonly notification_reason: string;
  readonly groupLabels: Record<string, string>;
  readonly commonLabels: Record<string, string>;
  readonly commonAnnotations: Record<string, string>;
  readonly externalURL: string;
  readonly version: string;
  readonly groupKey: string;
  readonly truncatedAlerts: number;
}

export interface WebhookServer {
  readonly url: string;
  readonly received: {
    readonly path: string;
    readonly at: number;
    readonly headers: NodeJS.Dict<string | string[]>;
    readonly body: WebhookBody;
  }[];
  /** Status codes for the next requests; 200 when there are none left. */
  readonly answers: number[];
  /** Resolves when `count` requests have come in. */
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A real HTTP server that takes webhooks, on a free loopback port. */
export async function webhookServer(): Promise<WebhookServer> {
  const waiting: { count: number; resolve: () => void }[] = [];
  const received: WebhookServer["received"] = [];
  const answers: number[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      received.push({
        path: request.url ?? "",
        at: performance.now(),
        headers: request.headers,
        body: JSON.parse(Buffer.concat(parts).toString()) as WebhookBody,
      });
      response.writeHead(answers.shift() ?? 200).end("seen");
      for (const w of waiting) if (received.length >= w.count) w.resolve();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    answers,
    waitFor: (count) =>
      received.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve })),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An alert manager that does not run: it knows its configuration, and no alert. */
export function idleAlertManager(
  text = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n",
  disk: Disk = memoryDisk(),
): AlertManager {
  return makeAlertManager({
    config: parseAlertmanagerConfig("alertmanager.yml", text),
    dataDir: "/alerting",
    disk,
    publish: () => Promise.resolve(),
    externalUrl: "http://tocsin",
    userAgent: "Tocsin/test",
    onDeath: () => {},
  });
}

export function freshFolder(): string {
  return mkdtempSync(join(tmpdir(), "tocsin-alerts-"));
}

export function posted(labels: Record<string, string>, over: Partial<PostedAlert> = {}): PostedAlert {
  return {
    labels: labelsFromObject(labels),
    annotations: { summary: "it burns" },
    generatorUrl: "http://tocsin/graph",
    ...over,
  };
}

/** A disk in memory, so that nothing but the network takes real time. `fail` makes every write reject while it is set. */
export function memoryDisk(): Disk & { readonly files: Map<string, Uint8Array>; fail: string | undefined } {
  const files = new Map<string, Uint8Array>();
  const check = () => {
    if (disk.fail !== undefined) throw new DiskError("write", "memory", disk.fail, disk.fail);
  };
  const open = (path: string): DiskFile => ({
    read: (into, at) => {
      const part = (files.get(path) as Uint8Array).subarray(at, at + into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
    readSync: (into, at) => {
      const part = (files.get(path) as Uint8Array).subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write: async (from, at) => {
      check();
      const old = files.get(path) as Uint8Array;
      const next = new Uint8Array(Math.max(old.length, at + from.length));
      next.set(old);
      next.set(from, at);
      files.set(path, next);
    },
    size: () => Promise.resolve((files.get(path) as Uint8Array).length),
    truncate: (size) => Promise.resolve(void files.set(path, (files.get(path) as Uint8Array).slice(0, size))),
    sync: async () => check(),
    close: () => Promise.resolve(),
  });
  const disk = {
    files,
    fail: undefined as string | undefined,
    makeDir: () => Promise.resolve(),
    list: () => Promise.resolve([...files.keys()].sort()),
    open: async (path: string, mode: "read" | "write" | "create") => {
      if (mode === "create") {
        check();
        files.set(path, new Uint8Array());
      } else if (!files.has(path)) throw new DiskError("open", path, "ENOENT", "no such file");
      return open(path);
    },
    remove: (path: string) => Promise.resolve(void files.delete(path)),
    rename: async (from: string, to: string) => {
      check();
      files.set(to, files.get(from) as Uint8Array);
      files.delete(from);
    },
    link: async (from: string, to: string) => void files.set(to, files.get(from) as Uint8Array),
    removeDir: async (path: string) => {
      for (const name of [...files.keys()]) if (name.startsWith(`${path}/`)) files.delete(name);
    },
    syncDir: () => Promise.resolve(),
  };
  return disk;
}
