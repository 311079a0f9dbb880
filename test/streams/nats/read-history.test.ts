import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Bus } from "../../../src/streams/nats/bus.ts";
import { type HistoryAnswer, historyReader, type ReadHistory } from "../../../src/streams/nats/read-history.ts";
import { startNatsServer, type TestNats } from "./with-nats-server.ts";

const LIMIT = 40;
const EVENTS = 4000;
/** One event in so many is of the rare alert. */
const RARE = 50;

describe("records of many alerts", { timeout: 90_000 }, () => {
  let nats: TestNats;
  let bus: Bus;
  let read: ReadHistory;
  /** When each event was stored, Unix ms; some have the time of the one before. */
  const times: number[] = [];
  beforeAll(async () => {
    nats = await startNatsServer();
    bus = await nats.bus({});
    read = historyReader(bus);
    const { jetstream } = await import("@nats-io/jetstream");
    const js = jetstream(bus.nc);
    // One after the other in parts: the stream's clock goes on in between.
    for (let i = 0; i < EVENTS; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, k) =>
          js.publish(`tocsin.alerts.default.${(i + k) % RARE === 0 ? "Rare" : "Often"}.${(i + k) % 7}`, `${i + k}`),
        ),
      );
    }
    const all = await read({ stream: "alerts", subjects: ["tocsin.alerts.>"], limit: EVENTS, patienceMs: 60_000 });
    expect(all.messages).toHaveLength(EVENTS);
    for (const m of all.messages) times[numberOf(m)] = m.time;
  });
  afterAll(() => nats.stop());

  const numberOf = (m: HistoryAnswer["messages"][number]) => Number(new TextDecoder().decode(m.data));
  const ask = (subject: string, more: { from?: number; around?: number }) =>
    read({
      stream: "alerts",
      subjects: [`tocsin.alerts.default.${subject}.*`],
      limit: LIMIT,
      patienceMs: 60_000,
      ...more,
    });

  it("are those around the time that is asked about, most of them from before it", async () => {
    for (const i of [60, 1000, 2500, EVENTS - 1]) {
      const around = times[i] as number;
      const { messages, truncated } = await ask("*", { around });
      expect(truncated).toBe(true);
      expect(messages.length).toBeLessThanOrEqual(LIMIT);
      const before = messages.filter((m) => m.time < around).length;
      // As near as can be: what was stored last before the time is among them.
      expect(Math.max(...messages.filter((m) => m.time < around).map((m) => m.time))).toBe(
        Math.max(...times.filter((t) => t < around)),
      );
      expect(before).toBeGreaterThanOrEqual(LIMIT / 2);
    }
  });

  it("reach as far back as they are rare", async () => {
    const { messages, truncated } = await ask("Rare", { around: times[EVENTS - 1] as number });
    expect(truncated).toBe(true);
    const numbers = messages.map(numberOf);
    expect(numbers.every((n) => n % RARE === 0)).toBe(true);
    // The newest ones, without a gap.
    const newest = numbers.sort((a, b) => b - a);
    expect(newest.length).toBeGreaterThanOrEqual(LIMIT / 2);
    expect(newest).toEqual(newest.map((_, k) => EVENTS - RARE - k * RARE));
  });

  it("are all of them where there are few, wherever the time is", async () => {
    const from = times[EVENTS - 10 * RARE] as number;
    for (const around of [from, Date.now() + 3_600_000, times[0] as number]) {
      const { messages, truncated } = await ask("Rare", { from, around });
      expect(truncated).toBe(false);
      expect(messages.map(numberOf)).toEqual(times.flatMap((t, i) => (i % RARE === 0 && t >= from ? [i] : [])));
    }
  });

  it("leave no consumer behind", async () => {
    await expect.poll(async () => (await bus.jsm.consumers.list("ALERTS").next()).length, { timeout: 30_000 }).toBe(0);
  });
});
