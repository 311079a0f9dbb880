import { makeTurns } from "../../lib/turns.ts";
import type { ManagedAlert, ManagedGroup, NotifyStats } from "../../model/alerts.ts";
import { compareLabels, type HeldAlert, isResolved, sortAlerts } from "./alert-store.ts";
import type { Route } from "./alertmanager-config.ts";
import { type Dispatcher, inhibitions } from "./dispatcher.ts";
import { mutedBy } from "./notify-group.ts";
import { routesOf } from "./route.core.ts";
import type { Silences } from "./silences.ts";

/** All alerts that fire, and the groups that they are in. There may be very many: they are made in stretches. */
export interface AlertListing {
  /** By fingerprint. Has all that was taken in before it was asked for. */
  alerts(): Promise<readonly ManagedAlert[]>;
  /** By their labels and receivers, those with firing alerts. */
  groups(): Promise<readonly ManagedGroup[]>;
}

/** Whoever asks while a listing is being made gets the next one, together with all who ask until then. */
export function makeAlertListing(dispatcher: () => Dispatcher, silences: Silences, now: () => number): AlertListing {
  const alerts = shareNext(() => managedAlerts(dispatcher(), silences, now()));
  return {
    alerts,
    groups: shareNext(async () => managedGroups(dispatcher(), await alerts(), now())),
  };
}

/**
 * The alerts that fire at `now`, by fingerprint, with where they go and what holds them back. One of which nothing has changed is the
 * same object as before, so that what was made of it can be kept.
 */
export async function managedAlerts(d: Dispatcher, silences: Silences, now: number): Promise<ManagedAlert[]> {
  const turn = makeTurns();
  const all = [...d.alerts.values()];
  const { flushed, muted } = holding(d, now);
  const known = shownOf(d);
  /** By their first digits, so that no long list is to be sorted in one stretch. */
  const shelves: ManagedAlert[][] = Array.from({ length: SHELVES }, () => []);
  for (let from = 0; from < all.length; from += AT_A_TIME) {
    const firing = all.slice(from, from + AT_A_TIME).filter((a) => !isResolved(a, now));
    const inhibited = inhibitions(d, firing, now);
    const silenced = silences.silencedBy(firing, now);
    for (const held of firing) {
      const { fingerprint: key } = held;
      const silencedBy = silenced.get(key) ?? NOTHING;
      const inhibitedBy = inhibited.get(key) ?? NOTHING;
      const mutedBy = muted.get(key) ?? NOTHING;
      const suppressed = silencedBy.length + inhibitedBy.length + mutedBy.length > 0;
      const state = suppressed ? "suppressed" : flushed.has(key) ? "active" : "unprocessed";
      const entry = known.get(key);
      // Heard of again, it is another one.
      let alert = entry?.held === held ? entry.alert : undefined;
      if (
        alert?.state !== state ||
        !same(alert.silencedBy, silencedBy) ||
        !same(alert.inhibitedBy, inhibitedBy) ||
        !same(alert.mutedBy, mutedBy)
      ) {
        const { timeout: _, ...rest } = held;
        const receivers = alert?.receivers ?? receiversOf(d, held);
        alert = { ...rest, receivers, state, silencedBy, inhibitedBy, mutedBy };
        known.set(key, { held, alert });
      }
      shelves[Number.parseInt(key.slice(0, SHELF_DIGITS), 16)]?.push(alert);
    }
    if (turn.due()) await turn.next();
  }
  const out: ManagedAlert[] = [];
  for (const shelf of shelves) {
    shelf.sort((a, b) => (a.fingerprint < b.fingerprint ? -1 : 1));
    for (const alert of shelf) out.push(alert);
    if (turn.due()) await turn.next();
  }
  return out;
}

/** The groups of these alerts, by their labels and receivers. */
async function managedGroups(d: Dispatcher, listed: readonly ManagedAlert[], now: number): Promise<ManagedGroup[]> {
  const turn = makeTurns();
  const alerts = new Map(listed.map((a) => [a.fingerprint, a]));
  const out: ManagedGroup[] = [];
  for (const group of [...d.groups.values()]) {
    const members: ManagedAlert[] = [];
    for (const key of group.alerts.keys()) {
      const alert = alerts.get(key);
      if (alert !== undefined) members.push(alert);
    }
    if (members.length === 0) continue;
    const { key, labels } = group;
    const muted = mutedBy(d.config, group.route, now);
    out.push({ key, receiver: group.route.receiver, labels, mutedBy: muted, alerts: sortAlerts(members) });
    if (turn.due()) await turn.next();
  }
  return out.sort((a, b) => compareLabels(a.labels, b.labels) || (a.receiver < b.receiver ? -1 : 1));
}

/** A shelf is for alerts whose fingerprints begin with the same digits. */
const SHELF_DIGITS = 2;
const SHELVES = 16 ** SHELF_DIGITS;
/** Alerts that are looked at between two looks at the clock: well under a stretch. */
const AT_A_TIME = 200;

/** One list for all alerts that go the same way. */
const ways = new WeakMap<Dispatcher, Map<string, readonly string[]>>();

function receiversOf(d: Dispatcher, alert: HeldAlert): readonly string[] {
  let known = ways.get(d);
  if (known === undefined) {
    known = new Map();
    ways.set(d, known);
  }
  const names = routesOf(d.root, alert.labels).map((r) => r.receiver);
  const key = names.length === 1 ? (names[0] as string) : names.join("\u0000");
  const list = known.get(key) ?? names;
  if (list === names) known.set(key, names);
  return list;
}

const NOTHING: readonly string[] = [];

/**
 * What was shown of each alert the last time, by fingerprint, as long as the routes are the same. (A weak map of as many costs each
 * collection of garbage a look at all of them.)
 */
const shown = new WeakMap<Dispatcher, Map<string, Shown>>();

interface Shown {
  readonly held: HeldAlert;
  readonly alert: ManagedAlert;
}

function shownOf(d: Dispatcher): Map<string, Shown> {
  let known = shown.get(d);
  if (known === undefined) {
    known = new Map();
    shown.set(d, known);
  }
  // Those that are gone are looked for when they may be many.
  if (known.size > 2 * d.alerts.size) for (const key of known.keys()) if (!d.alerts.has(key)) known.delete(key);
  return known;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((x, i) => x === b[i]));
}

/** Which alerts were told, and which are in groups that are muted now, with the names of the intervals; by fingerprint. */
function holding(d: Dispatcher, now: number) {
  const flushed = new Set<string>();
  const muted = new Map<string, readonly string[]>();
  const byRoute = new Map<Route, readonly string[]>();
  for (const group of d.groups.values()) {
    let by = byRoute.get(group.route);
    if (by === undefined) {
      by = mutedBy(d.config, group.route, now);
      byRoute.set(group.route, by);
    }
    if (group.hasFlushed) for (const key of group.alerts.keys()) flushed.add(key);
    if (by.length === 0) continue;
    for (const key of group.alerts.keys()) {
      const other = muted.get(key);
      muted.set(key, other === undefined ? by : [...new Set([...other, ...by])]);
    }
  }
  return { flushed, muted };
}

/** As `managedAlerts` would show them, without making them. */
export function countAlerts(d: Dispatcher, silences: Silences, now: number): NotifyStats["alerts"] {
  const count = { active: 0, suppressed: 0, unprocessed: 0 };
  const { flushed, muted } = holding(d, now);
  const firing = [...d.alerts.values()].filter((a) => !isResolved(a, now));
  const inhibited = inhibitions(d, firing, now);
  const silenced = silences.silencedBy(firing, now);
  for (const { fingerprint: key } of firing) {
    if (silenced.has(key) || inhibited.has(key) || muted.has(key)) count.suppressed++;
    else if (flushed.has(key)) count.active++;
    else count.unprocessed++;
  }
  return count;
}

/** What takes long is not made again before twenty times as long has passed; by `now`, ms that never go back. */
export function seldom<T>(make: () => T, now: () => number = () => performance.now()): () => T {
  let made: { readonly value: T; readonly until: number } | undefined;
  return () => {
    const begun = now();
    if (made !== undefined && begun < made.until) return made.value;
    const value = make();
    const ended = now();
    made = { value, until: ended + 20 * (ended - begun) };
    return value;
  };
}

/**
 * Makes it anew for each who asks, once for all who ask while another one is being made: that one may not have what they look for. It
 * rejects for all of them as `make` does.
 */
export function shareNext<T>(make: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= running.then(() => {
      const made = make();
      next = undefined;
      running = made.then(nothing, nothing);
      return made;
    });
    return next;
  };
}

const nothing = () => undefined;
