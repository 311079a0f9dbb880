import { describe, expect, it } from "vitest";
import { type Claim, makeClaims } from "../../../src/actors/notify/claims.ts";
import type { Intent } from "../../../src/actors/notify/ledger.ts";
import type { ClaimEntry, ClaimStore } from "../../../src/model/claims.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";

/** What JetStream does: one entry a key, written only on top of the one that was read. */
function memoryStore(): ClaimStore & {
  readonly entries: Map<string, { entry: ClaimEntry; revision: number }>;
  down: boolean;
} {
  const entries = new Map<string, { entry: ClaimEntry; revision: number }>();
  let last = 0;
  const store = {
    entries,
    down: false,
    read: (key: string) => (store.down ? Promise.reject(new Error("down")) : Promise.resolve(entries.get(key))),
    write: (key: string, entry: ClaimEntry, revision: number) => {
      if (store.down) return Promise.reject(new Error("down"));
      if ((entries.get(key)?.revision ?? 0) !== revision) return Promise.resolve(undefined);
      entries.set(key, { entry, revision: ++last });
      return Promise.resolve(last);
    },
  };
  return store;
}

interface Told {
  readonly name: string;
  readonly startsAt: number;
  readonly endsAt?: number;
}

function intentOf(alerts: readonly Told[], time: number): Intent {
  const told = alerts.map(({ name, startsAt, endsAt = 0 }) => ({
    fingerprint: name,
    labels: labelsFromObject({ alertname: name }),
    annotations: {},
    startsAt,
    endsAt,
    generatorUrl: "",
  }));
  return {
    id: "1",
    key: "k",
    content: "c",
    groupKey: "{}",
    receiver: "web",
    integration: "webhook[0]",
    slot: "webhook[0]",
    time,
    firing: told.filter((a) => a.endsAt === 0).map((a) => a.fingerprint),
    resolved: told.filter((a) => a.endsAt !== 0).map((a) => a.fingerprint),
    keepMs: 7_200_000,
    patienceMs: 10_000,
    notification: {
      key: "k",
      receiver: "web",
      groupKey: "{}",
      groupLabels: [],
      externalUrl: "",
      alerts: told,
      reason: "first notification",
    },
  };
}

const FIRING = intentOf([{ name: "a", startsAt: 1000 }], 2000);
const settle = (claim: Claim, ok: boolean | undefined, time: number) =>
  claim.verdict === "go" ? claim.settle(ok, time) : expect.fail(`it is not to be sent: ${claim.verdict}`);

describe("claims", () => {
  it("let one of many send, and tell the others that it is told", async () => {
    const store = memoryStore();
    const all = ["x", "y", "z"].map((self) => makeClaims({ store, self }));
    const verdicts = await Promise.all(
      all.map(async (claims) => {
        const claim = await claims.acquire(FIRING);
        if (claim.verdict === "go") await claim.settle(true, 2100);
        return claim.verdict === "told" ? [claim.verdict, claim.time] : [claim.verdict];
      }),
    );
    expect(verdicts.sort()).toEqual([["go"], ["told", 2100], ["told", 2100]]);
  });

  it("are free again when it could not be told, and stay when nobody knows", async () => {
    const store = memoryStore();
    const x = makeClaims({ store, self: "x" });
    const y = makeClaims({ store, self: "y", leaseMs: 30 });
    await settle(await x.acquire(FIRING), false, 2100);
    const second = await y.acquire(FIRING);
    expect(second.verdict).toBe("go");
    await settle(second, undefined, 0);
    // The same one may go on with it at once.
    expect((await y.acquire(FIRING)).verdict).toBe("go");
  });

  it("are given up on after what the store says", async () => {
    const store = { ...memoryStore(), leaseMs: 30 };
    const y = makeClaims({ store, self: "y" });
    await makeClaims({ store: { ...store, leaseMs: 1e9 }, self: "gone" }).acquire(FIRING);
    expect((await y.acquire(FIRING)).verdict).toBe("go");
    expect(y.stats().takenOver).toBe(1);
  });

  it("are taken over from one that is not heard of, and not from one that goes on", async () => {
    const store = memoryStore();
    const gone = makeClaims({ store, self: "gone", leaseMs: 1e9 });
    expect((await gone.acquire(FIRING)).verdict).toBe("go");
    let clock = 0;
    const y = makeClaims({ store, self: "y", leaseMs: 1000, now: () => (clock += 400) });
    expect((await y.acquire(FIRING)).verdict).toBe("go");
    expect(y.stats()).toEqual({ leftToOthers: 0, takenOver: 1, unclaimed: 0 });

    const lively = memoryStore();
    const holder = makeClaims({ store: lively, self: "holder", leaseMs: 90 });
    const held = await holder.acquire(FIRING);
    const other = makeClaims({ store: lively, self: "other", leaseMs: 300 });
    const waits = other.acquire(FIRING);
    const revision = () => [...lively.entries.values()][0]?.revision ?? 0;
    while (revision() < 8) await new Promise((resolve) => setTimeout(resolve, 5));
    await settle(held, true, 2100);
    expect((await waits).verdict).toBe("told");
    expect(other.stats().takenOver).toBe(0);
  });

  it("send without asking when the store does not answer", async () => {
    const store = memoryStore();
    store.down = true;
    const claims = makeClaims({ store, self: "x" });
    await settle(await claims.acquire(FIRING), true, 2100);
    expect(claims.stats().unclaimed).toBe(1);
  });

  it("do not believe an entry that is older than what was told while the store did not answer", async () => {
    for (const lost of ["before it was claimed", "before it was written down"] as const) {
      const store = memoryStore();
      const here = makeClaims({ store, self: "here", leaseMs: 30 });
      const gone = makeClaims({ store, self: "gone" });
      await settle(await gone.acquire(FIRING), true, 2100);
      const ended = intentOf([{ name: "a", startsAt: 1000, endsAt: 3000 }], 3000);
      if (lost === "before it was claimed") store.down = true;
      const end = await here.acquire(ended);
      store.down = true;
      await settle(end, true, 3100);
      store.down = false;
      // It fires again, soon, and the other one is not there any more.
      const again = intentOf([{ name: "a", startsAt: 5000 }], 5000);
      const claim = await here.acquire(again);
      expect([lost, claim.verdict]).toEqual([lost, "go"]);
      await settle(claim, true, 5100);
      expect((await gone.acquire(again)).verdict).toBe("told");
    }
  });

  it("know one story of an alert from another", async () => {
    const store = memoryStore();
    const x = makeClaims({ store, self: "x" });
    const y = makeClaims({ store, self: "y" });
    await settle(await x.acquire(FIRING), true, 2100);
    // Another evaluator found it an interval later: the same story.
    expect((await y.acquire(intentOf([{ name: "a", startsAt: 1500 }], 2500))).verdict).toBe("told");
    // It ended (which was not told, send_resolved being off) and began anew.
    expect((await y.acquire(intentOf([{ name: "a", startsAt: 13_000 }], 13_500))).verdict).toBe("go");
  });

  it("hold back who is behind, but not for ever", async () => {
    const store = memoryStore();
    const x = makeClaims({ store, self: "x" });
    const y = makeClaims({ store, self: "y" });
    await settle(await x.acquire(intentOf([{ name: "a", startsAt: 1000, endsAt: 5000 }], 5100)), true, 5200);
    expect((await y.acquire(intentOf([{ name: "a", startsAt: 1200 }], 5300))).verdict).toBe("later");
    expect((await y.acquire(intentOf([{ name: "a", startsAt: 1200 }], 15_300))).verdict).toBe("go");
  });

  it("do not hold back a repetition, nor an alert that is new to the group", async () => {
    const store = memoryStore();
    const x = makeClaims({ store, self: "x" });
    const y = makeClaims({ store, self: "y" });
    await settle(await x.acquire(FIRING), true, 2100);
    const more = intentOf(
      [
        { name: "a", startsAt: 1000 },
        { name: "b", startsAt: 1000 },
      ],
      2500,
    );
    await settle(await y.acquire(more), true, 2600);
    expect((await x.acquire(intentOf([{ name: "a", startsAt: 1000 }], 2700))).verdict).toBe("told");
    expect((await x.acquire(intentOf([{ name: "a", startsAt: 1000 }], 2600 + 3_600_001))).verdict).toBe("go");
  });
});
