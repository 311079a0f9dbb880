import { expect, test } from "vitest";
import { TryLater } from "../../../src/model/ingest.ts";
import { makeLargeGate } from "../../../src/streams/ingest/large-gate.ts";
import { turn } from "./gateway-setup.ts";

function start(maxWaitingBytes = 1_000) {
  const seen: string[] = [];
  const gate = makeLargeGate(maxWaitingBytes, () => seen.push("idle"));
  const work = async (tenant: string, name: string, bytes = 1) => {
    const done = await gate.enter(tenant, bytes);
    seen.push(name);
    // What takes several turns keeps the others out meanwhile.
    await turn();
    await turn();
    seen.push(`${name} done`);
    done();
  };
  return { gate, seen, work };
}

test("bodies are worked on one at a time, tenants in turn, those of one in their order", async () => {
  const { gate, seen, work } = start();
  expect(gate.idle()).toBe(true);
  const all = [work("a", "a1"), work("a", "a2"), work("a", "a3"), work("b", "b1"), work("c", "c1"), work("b", "b2")];
  expect(gate.idle()).toBe(false);
  await Promise.all(all);
  while (!gate.idle()) await turn();
  const order = ["a1", "b1", "c1", "a2", "b2", "a3"];
  expect(seen).toEqual([...order.flatMap((name) => [name, `${name} done`]), "idle"]);
  await work("a", "again");
  expect(seen.at(-1)).toBe("again done");
});

test("between two bodies the event loop turns, so that what came meanwhile is served", async () => {
  const { seen, work } = start();
  const all = [work("a", "a1"), work("a", "a2")];
  await all[0];
  // Two turns, each begun by the one before: what a new connection needs.
  await turn();
  await turn();
  seen.push("other");
  await Promise.all(all);
  expect(seen).toEqual(["a1", "a1 done", "other", "a2", "a2 done"]);
});

test("what waits is bounded; a body alone is let in whatever its size", async () => {
  const { gate, seen, work } = start(100);
  const alone = work("a", "alone", 1_000);
  await expect(gate.enter("b", 1)).rejects.toThrow(TryLater);
  await alone;
  const all = [work("a", "a", 60), work("b", "b", 40)];
  await expect(gate.enter("c", 1)).rejects.toMatchObject({ reason: "overloaded", status: 503 });
  await Promise.all(all);
  expect(seen.filter((s) => s.endsWith("done"))).toEqual(["alone done", "a done", "b done"]);
});
