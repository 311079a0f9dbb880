import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TransitionEvent } from "../../../src/actors/rule/rule-group.teller.ts";
import { activeAlerts, groupStatus } from "../../../src/actors/rule/rule-status.ts";
import type { PostedAlert } from "../../../src/model/alerts.ts";
import { formatLabels } from "../../../src/model/labels.ts";
import { seededRandom } from "../../lib/sim-disk.ts";
import { folder, group, live, T, TICK } from "./shadow-life.ts";

const described = (a: PostedAlert, wall: number) =>
  `${formatLabels(a.labels)} ${(a.endsAt as number) <= wall ? `ended ${a.sight?.reason ?? ""}`.trim() : "firing"}`;

describe("shadow rules", () => {
  it("are told to nobody; their series and transitions say what they are; they are counted", async () => {
    const sent: string[] = [];
    const events: TransitionEvent[] = [];
    const disk = await folder();
    const life = {
      disk,
      sink: (alerts: readonly PostedAlert[]) => sent.push(...alerts.map(() => "!")),
      transition: (e: TransitionEvent) => events.push(e),
    };
    const script = [["x"], ["x", "y"], ["x"], [], ["x"]];
    const { runtime, lines } = await live(group(true), script, 0, 5, life);
    expect(sent).toEqual([]);
    expect(lines.filter((l) => / ALERTS/.test(l))).toEqual([]);
    expect(lines[0]).toContain('SHADOW_ALERTS{alertname="A", alertstate="firing", host="x"} 1');
    expect(events.map((e) => `${e.action} ${e.shadow}`)).toEqual([
      "becameFiring true",
      "becameFiring true",
      "becameResolved true",
      "becameResolved true",
      "becameFiring true",
    ]);
    const tally = { since: T, fired: 3, episodes: 2, longestMs: 3 * TICK, lastFired: T + 4 * TICK, most: 2 };
    expect(groupStatus(runtime).rules[0]).toMatchObject({ shadow: true, tally, alerts: [{ shadow: true }] });
    // It goes on counting after a restart.
    const again = await live(group(true), [...script, []], 5, 6, life);
    expect(again.runtime.rules[0]?.tally).toEqual({ ...tally });
  });

  it("one that was live takes its alerts back with the reason, once, and is told again when it is live again", async () => {
    const disk = await folder();
    const sent: string[] = [];
    const life = {
      disk,
      sink: (alerts: readonly PostedAlert[], wall: number) => sent.push(...alerts.map((a) => described(a, wall))),
    };
    const script = Array.from({ length: 8 }, () => ["x"]);
    await live(group(false), script, 0, 2, life);
    expect(sent.splice(0)).toEqual(['{alertname="A", host="x"} firing', '{alertname="A", host="x"} firing']);
    const shadow = await live(group(true), script, 2, 4, life);
    expect(sent.splice(0)).toEqual(['{alertname="A", host="x"} ended shadow']);
    // The series of before end, so that no rule or dashboard sees them any longer.
    expect(shadow.lines).toContain(`${T + 2 * TICK} ALERTS{alertname="A", alertstate="firing", host="x"} stale`);
    await live(group(true), script, 4, 5, life);
    expect(sent).toEqual([]);
    const events: TransitionEvent[] = [];
    const { runtime } = await live(group(false), script, 5, 6, { ...life, transition: (e) => events.push(e) });
    expect(sent.splice(0)).toEqual(['{alertname="A", host="x"} firing']);
    expect(activeAlerts(runtime.rules[0]?.table as never)).toMatchObject([{ activeAt: T }]);
    expect(events.map((e) => e.action)).toEqual(["becameLive"]);
  });

  it("one that is promoted keeps the clock of its `for`", async () => {
    const disk = await folder();
    const sent: string[] = [];
    const life = {
      disk,
      sink: (alerts: readonly PostedAlert[], wall: number) =>
        sent.push(`${wall} ${described(alerts[0] as PostedAlert, wall)}`),
    };
    const script = Array.from({ length: 5 }, () => ["x"]);
    await live(group(true, 3 * TICK), script, 0, 2, life);
    await live(group(false, 3 * TICK), script, 2, 4, life);
    expect(sent).toEqual([`${T + 3 * TICK} {alertname="A", host="x"} firing`]);
  });

  it("never reach the alert manager, whatever turns and is killed; nothing that fires while live is lost, no clock begins anew", async () => {
    const hosts = fc.subarray(["x", "y", "z"]);
    const stretches = fc.array(
      fc.record({
        shadow: fc.boolean(),
        ticks: fc.array(hosts, { minLength: 1, maxLength: 6 }),
        kills: fc.array(fc.integer({ min: 1, max: 25 }), { maxLength: 2 }),
      }),
      { minLength: 2, maxLength: 8 },
    );
    const duration = fc.constantFrom(0, TICK, 3 * TICK);
    await fc.assert(
      fc.asyncProperty(stretches, duration, duration, fc.integer(), async (parts, holdMs, keepMs, seed) => {
        const script = parts.flatMap((p) => p.ticks);
        const random = seededRandom(seed);
        let disk = await folder();
        /** All that was ever told as firing. */
        const told = new Set<string>();
        /** What the alert manager holds as firing. */
        const held = new Set<string>();
        let from = 0;
        let last: Awaited<ReturnType<typeof live>> | undefined;
        for (const { shadow, ticks, kills } of parts) {
          const to = from + ticks.length;
          const sink = (alerts: readonly PostedAlert[], wall: number) => {
            for (const a of alerts) {
              const name = formatLabels(a.labels);
              const ended = (a.endsAt as number) <= wall;
              // A shadow rule ends what was told while it was live, and tells nothing else.
              if (shadow) expect([ended, told.has(name)]).toEqual([true, true]);
              if (ended) held.delete(name);
              else {
                held.add(name);
                told.add(name);
              }
            }
          };
          for (const killAt of [...kills, Number.POSITIVE_INFINITY]) {
            try {
              last = await live(group(shadow, holdMs, keepMs), script, from, to, { disk, sink, killAt });
              break;
            } catch (error) {
              if (killAt === Number.POSITIVE_INFINITY) throw error;
              disk = disk.crash(random);
            }
          }
          const firing = activeAlerts(last?.runtime.rules[0]?.table as never).filter((a) => a.state === "firing");
          expect([...held].sort()).toEqual(shadow ? [] : firing.map((a) => formatLabels(a.labels)).sort());
          from = to;
        }
        const alone = await live(group(false, holdMs, keepMs), script, 0, script.length, {
          disk: await folder(),
          sink: () => {},
        });
        const shown = (l: typeof last) =>
          activeAlerts(l?.runtime.rules[0]?.table as never).map(
            (a) => `${formatLabels(a.labels)} ${a.state} ${a.activeAt}`,
          );
        expect(shown(last).sort()).toEqual(shown(alone).sort());
      }),
      { numRuns: 150 },
    );
  });
});
