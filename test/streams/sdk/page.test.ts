import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, vi } from "vitest";
import { streamIdentity } from "../../../src/streams/nats/stream-identity.ts";
import { withNatsServer } from "../nats/with-nats-server.ts";

it("the example of docs/nats.md runs as it stands, but for the server's address", { timeout: 90_000 }, () =>
  withNatsServer(async (nats) => {
    const bus = await nats.bus({ partitions: 2 });
    const [, example] = /```ts\n([\s\S]*?connectWriter[\s\S]*?)```/.exec(readFileSync("docs/nats.md", "utf8")) ?? [];
    const here = (text: string) =>
      text.replaceAll(/"\.\/(src\/[^"]+)"/g, (_, path: string) => JSON.stringify(pathToFileURL(resolve(path)).href));
    const code = here(example as string).replace("nats://127.0.0.1:4222", nats.url);
    expect(code).toContain(nats.url);
    const dir = await mkdtemp(join(tmpdir(), "tocsin-test-example-"));
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      const file = join(dir, "example.ts");
      await writeFile(file, code);
      await import(pathToFileURL(file).href);
      const said = log.mock.calls.map(([line]) => String(line));
      expect(said).toHaveLength(3);
      for (const position of said) expect(position).toMatch(/^[01]:\d+/);
    } finally {
      log.mockRestore();
      await rm(dir, { recursive: true, force: true });
    }
    const stored = await Promise.all([0, 1].map((p) => streamIdentity(bus, p)));
    expect(stored.reduce((sum, s) => sum + s.lastSequence, 0)).toBeGreaterThanOrEqual(3);
  }),
);
