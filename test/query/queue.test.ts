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
