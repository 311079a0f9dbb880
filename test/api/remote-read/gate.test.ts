import { describe, expect, it } from "vitest";
import { makeGate } from "../../../src/api/remote-read/gate.ts";

describe("the gate", () => {
  const patient = new AbortController().signal;

  it("lets as many in as its limit, the others in their order", async () => {
    const gate = makeGate(2);
    const order: number[] = [];
    const leave = await Promise.all([gate.enter(patient), gate.enter(patient)]);
    const later = [1, 2, 3].map(async (n) => {
      const done = await gate.enter(patient);
      order.push(n);
      return done;
    });
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    // A second call of the same is none.
    leave[0]();
    leave[0]();
    await new Promise(setImmediate);
    expect(order).toEqual([1]);
    leave[1]();
    (await later[0])?.();
    await Promise.all(later);
    expect(order).toEqual([1, 2, 3]);
  });

  it("forgets who leaves while waiting", async () => {
    const gate = makeGate(1);
    const leave = await gate.enter(patient);
    const gone = new AbortController();
    const left = gate.enter(gone.signal);
    const next = gate.enter(patient);
    gone.abort();
    await expect(left).rejects.toThrow("closed the connection");
    await expect(gate.enter(AbortSignal.abort())).rejects.toThrow("closed the connection");
    leave();
    (await next)();
    (await gate.enter(patient))();
  });
});
