import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { freePort } from "./tocsin.ts";

/** The body of a webhook, as far as these tests look at it. */
export interface Page {
  readonly status: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  readonly externalURL: string;
  readonly alerts: readonly {
    readonly status: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly tocsin?: Readonly<Record<string, unknown>>;
  }[];
  /** The header Idempotency-Key. */
  readonly key: string;
}

export interface Pager {
  readonly port: number;
  readonly pages: Page[];
  /** While true, what comes is noted and not answered. */
  silent: boolean;
  /** `firing LevelHigh`, in the order of arrival. */
  said(): string[];
  close(): void;
}

/** A webhook that notes what it is told. */
export async function startPager(): Promise<Pager> {
  const port = await freePort();
  const server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      pager.pages.push({ ...JSON.parse(body), key: String(request.headers["idempotency-key"]) });
      if (!pager.silent) response.end();
    });
  });
  const pager: Pager = {
    port,
    pages: [],
    silent: false,
    said: () => pager.pages.map((p) => `${p.status} ${p.groupLabels.alertname}`),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return pager;
}

/** All goes to one webhook, a group for each alertname. */
export const alertmanagerFor = (port: number, groupWait = "0s"): string => `route:
  receiver: hook
  group_by: [alertname]
  group_wait: ${groupWait}
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: hook
  webhook_configs:
  - url: http://127.0.0.1:${port}/
`;

export const configWith = (more = ""): string =>
  `agent: { enabled: false }\nrule_files: [rules.yml]\nalertmanager_config_file: alertmanager.yml\n${more}`;

/** Notifications whose arrival is in the ledger on disk. */
export const toldInLedger = (dir: string): number =>
  readFileSync(join(dir, "data/alerting/notifications.log"), "utf8").split('{"type":"told"').length - 1;
