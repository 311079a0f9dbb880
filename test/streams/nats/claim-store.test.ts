import { expect, it } from "vitest";
import { openClaimStore } from "../../../src/streams/nats/claim-store.ts";
import { until } from "../../e2e/tocsin.ts";
import { withNatsServer } from "./with-nats-server.ts";

it("gives an entry to all who share the server, and lets one of those who write at once", () =>
  withNatsServer(async (nats) => {
    const said: string[] = [];
    const [x, y] = [0, 1].map(() => openClaimStore(nats.url, (_, line) => said.push(line)));
    if (x === undefined || y === undefined) throw new Error("unreachable");
    await expect(x.read("a key. with > all * in it")).rejects.toThrow("not connected");
    await until(() => x.connected() && y.connected(), `they are connected (${said.join("; ")})`, 10_000);
    const key = "a key. with > all * in it";
    expect(await x.read(key)).toBeUndefined();
    const written = await Promise.all([
      x.write(key, { by: "x", held: true }, 0),
      y.write(key, { by: "y", held: true }, 0),
    ]);
    expect(written.filter((revision) => revision === undefined)).toHaveLength(1);
    const winner = written[0] === undefined ? "y" : "x";
    const found = await y.read(key);
    expect(found?.entry).toEqual({ by: winner, held: true });
    expect(await y.write(key, { by: "y", held: false }, found?.revision ?? 0)).toBeGreaterThan(found?.revision ?? 0);
    await nats.kill();
    await until(() => !x.connected(), "the loss is noticed", 10_000);
    await expect(x.read(key)).rejects.toThrow("not connected");
    await nats.restart();
    await until(() => x.connected(), "it is there again", 20_000);
    expect((await x.read(key))?.entry).toEqual({ by: "y", held: false });
    await Promise.all([x.close(), y.close()]);
  }));
