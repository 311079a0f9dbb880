import * as fc from "fast-check";
import { expect, test } from "vitest";
import { QueryError } from "../../src/model/query.ts";
import { makeQueryQueue } from "../../src/query/queue.ts";

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
const open = new AbortController().signal;

test("tenants take turns, and each tenant's queries keep their order", async () => {
  const queue = makeQueryQueue({ maxRunning: 1, maxWaiting: 100 });
  const first = await queue.enter("a", open);
  const order: string[] = [];
  const all = ["a1", "a2", "a3", "b1", "b2", "c1"].map(async (name) => {
    const done = await queue.enter(name[0] as string, open);
    order.push(name);
    done();
  });
  expect(queue.stats()).toEqual({ running: 1, waiting: 6 });
  first();
  await Promise.all(all);
  expect(order).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
  expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
});

test("what is too much is refused by the limits' names, and what is called off leaves its place", async () => {
  const queue = makeQueryQueue({ maxRunning: 1, maxWaiting: 1 });
  const done = await queue.enter("a", open);
  const stop = new AbortController();
  const waits = queue.enter("a", stop.signal);
  const refused = queue.enter("b", open);
  await expect(refused).rejects.toThrow(/limits\.max_concurrent_queries, limits\.max_queued_queries/);
  await expect(refused).rejects.toMatchObject({ type: "unavailable" });
  stop.abort(new QueryError("timeout", "late"));
  await expect(waits).rejects.toThrow("late");
  await expect(queue.enter("a", stop.signal)).rejects.toThrow("late");
  const next = queue.enter("b", open);
  done();
  done();
  (await next)();
  expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
});

test("a tenant's own bound holds while others run, and does not stop them", async () => {
  const queue = makeQueryQueue({ maxRunning: 3, maxWaiting: 10 });
  const first = await queue.enter("a", open, 1);
  const order: string[] = [];
  const waits = ["a2", "a3"].map(async (name) => {
    const done = await queue.enter("a", open, 1);
    order.push(name);
    return done;
  });
  const other = await queue.enter("b", open, 1);
  expect(queue.stats()).toEqual({ running: 2, waiting: 2 });
  other();
  await settled();
  expect(order).toEqual([]);
  first();
  (await waits[0])?.();
  (await waits[1])?.();
  expect(order).toEqual(["a2", "a3"]);
  expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
});

test("when all places are taken it is the tenant with the most that loses one", async () => {
  const queue = makeQueryQueue({ maxRunning: 1, maxWaiting: 4 });
  const done = await queue.enter("a", open);
  const outcomes: string[] = [];
  const ask = (tenant: string, name: string) =>
    queue.enter(tenant, open).then(
      (end) => {
        outcomes.push(`${name} ran`);
        end();
      },
      (e: Error) => void outcomes.push(`${name} ${e.message.slice(0, 21)}`),
    );
  const all = ["a1", "a2", "a3", "a4"].map((name) => ask("a", name));
  all.push(ask("a", "a5"), ask("b", "b1"), ask("b", "b2"));
  await settled();
  expect(outcomes).toEqual(["a5", "a4", "a3"].map((name) => `${name} 1 queries are running`));
  done();
  await Promise.all(all);
  expect(outcomes.slice(3)).toEqual(["a1 ran", "b1 ran", "a2 ran", "b2 ran"]);
  expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
});

test("bounds may change while queries wait", async () => {
  let maxRunning = 1;
  const queue = makeQueryQueue(() => ({ maxRunning, maxWaiting: 10 }));
  const first = await queue.enter("a", open);
  const waits = ["b", "c"].map((tenant) => queue.enter(tenant, open));
  maxRunning = 2;
  first();
  for (const done of await Promise.all(waits)) done();
  expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
});

test("whatever comes, ends and is called off: never more than may run, and nobody is forgotten", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.tuple(fc.constantFrom("enter", "end", "abort"), fc.nat(5), fc.constantFrom("a", "b", "c")), {
        maxLength: 60,
      }),
      async (maxRunning, events) => {
        const queue = makeQueryQueue({ maxRunning, maxWaiting: 5 });
        const running: (() => void)[] = [];
        const stops: AbortController[] = [];
        let refused = 0;
        let aborted = 0;
        let entered = 0;
        for (const [what, n, tenant] of events) {
          if (what === "enter") {
            const stop = new AbortController();
            stops.push(stop);
            entered++;
            queue.enter(tenant, stop.signal).then(
              (done) => void running.push(done),
              (error: unknown) => {
                if (error instanceof QueryError) refused++;
                else aborted++;
              },
            );
          } else if (what === "end") running.splice(n % Math.max(1, running.length), 1)[0]?.();
          else stops[n]?.abort(new Error("off"));
          await settled();
          expect(running.length).toBeLessThanOrEqual(maxRunning);
          expect(queue.stats().running).toBe(running.length);
          expect(queue.stats().waiting > 0 && running.length < maxRunning).toBe(false);
        }
        let served = 0;
        while (running.length > 0) {
          running.pop()?.();
          served++;
          await settled();
        }
        expect(queue.stats()).toEqual({ running: 0, waiting: 0 });
        expect(served).toBeLessThanOrEqual(entered - refused - aborted);
      },
    ),
    { numRuns: 200 },
  ));
