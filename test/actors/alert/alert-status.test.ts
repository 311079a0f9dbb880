import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { makeAlertListing, shareNext } from "../../../src/actors/alert/alert-status.ts";
import { makeDispatcher, postAlert } from "../../../src/actors/alert/dispatcher.ts";
import { parseAlertmanagerConfig } from "../../../src/actors/alert/load-config.ts";
import { makeSilences } from "../../../src/actors/alert/silences.ts";
import { labelsFromObject } from "../../../src/model/labels.ts";
import { makeSimDisk } from "../../lib/sim-disk.ts";

it("shares one listing among all who ask while another is made, and gives nobody one that was begun before", async () => {
  let state = 0;
  let made = 0;
  const ends: (() => void)[] = [];
  const listing = shareNext(async () => {
    made++;
    const seen = state;
    await new Promise<void>((resolve) => ends.push(resolve));
    return seen;
  });
  const end = async () => {
    await setImmediate();
    ends.shift()?.();
    await setImmediate();
  };
  const first = [listing(), listing()];
  await setImmediate();
  state = 1;
  const second = [listing(), listing(), listing()];
  await end();
  expect(await Promise.all(first)).toEqual([0, 0]);
  state = 2;
  const third = listing();
  await end();
  expect(await Promise.all(second)).toEqual([1, 1, 1]);
  await end();
  expect(await third).toBe(2);
  expect(made).toBe(3);
});

it("goes on after a listing that failed", async () => {
  let fail = true;
  const listing = shareNext(async () => {
    if (fail) throw new Error("no");
    return "yes";
  });
  await expect(listing()).rejects.toThrow("no");
  fail = false;
  expect(await listing()).toBe("yes");
});

it("lists thousands of alerts by fingerprint, in their groups, each the same object until something changes", async () => {
  const config = parseAlertmanagerConfig(
    "/alertmanager.yml",
    "route: { receiver: a, group_by: [site], routes: [{ receiver: b, matchers: [site=s1], continue: true }, { receiver: a }] }\nreceivers: [{ name: a }, { name: b }]\n",
  );
  const d = makeDispatcher(config);
  const now = Date.UTC(2026, 0, 1);
  const post = (i: number, more = {}) =>
    postAlert(
      d,
      { labels: labelsFromObject({ site: `s${i % 3}`, i: String(i) }), annotations: {}, generatorUrl: "", ...more },
      now,
      () => undefined,
    );
  for (let i = 0; i < 5000; i++) post(i);
  post(5000, { startsAt: now - 2, endsAt: now - 1 });
  const listing = makeAlertListing(
    () => d,
    makeSilences({ disk: makeSimDisk(), path: "/silences.log" }),
    () => now,
  );
  const [alerts, groups] = await Promise.all([listing.alerts(), listing.groups()]);
  const names = alerts.map((a) => a.fingerprint);
  expect(names).toHaveLength(5000);
  expect(names).toEqual([...names].sort());
  expect(alerts.every((a) => a.state === "unprocessed")).toBe(true);
  expect(groups.map((g) => [g.receiver, g.labels[1], g.alerts.length])).toEqual([
    ["a", "s0", 1667],
    ["a", "s1", 1667],
    ["b", "s1", 1667],
    ["a", "s2", 1666],
  ]);
  const again = await listing.alerts();
  expect(again.every((a, i) => a === alerts[i])).toBe(true);
  post(7);
  const changed = await listing.alerts();
  expect(changed.filter((a, i) => a !== alerts[i]).map((a) => a.labels)).toEqual([["i", "7", "site", "s1"]]);
});
