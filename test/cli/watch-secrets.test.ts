import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, it, onTestFinished } from "vitest";
import type { AlertmanagerConfig } from "../../src/actors/alert/alertmanager-config.ts";
import { liveConfiguration } from "../../src/cli/reload.ts";
import { startSecretWatch } from "../../src/cli/watch-secrets.ts";

it("sends with a secret that was renewed, and with the one before while it cannot be read", () => {
  const dir = mkdtempSync(join(tmpdir(), "tocsin-watch-secrets-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
  const receivers = (name: string) =>
    `route: { receiver: ${name} }\nreceivers: [{ name: ${name}, webhook_configs: [{ url: "http://x", http_config: { authorization: { credentials_file: token } } }] }]\n`;
  write("tocsin.yml", "alertmanager_config_file: am.yml\n");
  write("am.yml", receivers("a"));
  write("token", "one\n");
  const live = liveConfiguration(join(dir, "tocsin.yml"), pino({ level: "silent" }));
  const applied: AlertmanagerConfig[] = [];
  const [said, failed]: [string[], string[]] = [[], []];
  const watch = startSecretWatch({
    live,
    apply: (config) => applied.push(config),
    log: { info: (line: string) => said.push(line), error: (line: string) => failed.push(line) } as never,
    everyMs: 3_600_000,
  });
  onTestFinished(() => watch.close());
  const sends = (config = live.current().alertmanager) => config.receivers[0]?.integrations[0];
  expect(sends()).toMatchObject({ http: { headers: { authorization: "Bearer one" } } });

  // What else has changed on disk waits for a reload.
  write("am.yml", receivers("b"));
  write("token", "second\n");
  expect(watch.look()).toBe(true);
  expect(sends(applied[0])).toMatchObject({ http: { headers: { authorization: "Bearer second" } } });
  expect(applied[0]?.route.receiver).toBe("a");
  expect(applied[0]?.text).not.toContain("second");
  expect(said).toEqual(["secret files of the receivers changed and were read again"]);
  expect(watch.look()).toBe(false);

  rmSync(join(dir, "token"));
  expect(watch.look()).toBe(true);
  expect(failed[0]).toMatch(/the secrets before go on:\n.*am\.yml:2:\d+: cannot be read: ENOENT/);
  expect(sends()).toMatchObject({ http: { headers: { authorization: "Bearer second" } } });
  expect(applied).toHaveLength(1);

  write("token", "the third");
  expect(watch.look()).toBe(true);
  expect(sends(applied[1])).toMatchObject({ http: { headers: { authorization: "Bearer the third" } } });
});
