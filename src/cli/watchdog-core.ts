/**
 * What the watchdog knows and decides, without a clock or a network. Times are Unix milliseconds, by a clock that is not set while the
 * process runs (`steadyClock`).
 *
 * Invariants:
 * - A heartbeat that is `timeoutMs` late makes one incident, and the first one after it ends it; each has one key.
 * - After a start the heartbeat gets a whole `timeoutMs`, since it may have come while nobody listened. Starts without a heartbeat in
 *   between share that time: a watchdog that is started again and again pages all the same.
 * - What has not been paged yet is paged after a restart; a page and its end come in their order.
 * - A clock that was set back between two starts makes no deadline later than one that begins now.
 */
export interface WatchState {
  readonly version: 1;
  /** 0: none was ever heard. */
  readonly lastBeat: number;
  /** Since when one is waited for at the least. */
  readonly waitingSince: number;
  /** The incident at hand; it stays until its end has been paged. */
  readonly incident: Incident | undefined;
}

export interface Incident {
  /** For the provider, which takes pages with the same key for the same. */
  readonly key: string;
  readonly since: number;
  /** A page was begun: it may have arrived, whatever the answer was. */
  readonly tried: boolean;
  readonly paged: boolean;
  /** When the heartbeat came back, undefined while it has not. */
  readonly over: number | undefined;
}

export function startWatch(stored: WatchState | undefined, now: number): WatchState {
  if (stored === undefined) return { version: 1, lastBeat: 0, waitingSince: now, incident: undefined };
  const { lastBeat, waitingSince } = stored;
  const before = { ...stored, lastBeat: Math.min(lastBeat, now), waitingSince: Math.min(waitingSince, now) };
  const heardSince = lastBeat >= waitingSince;
  return heardSince ? { ...before, waitingSince: now } : before;
}

/**
 * A clock that begins with the wall clock's time and goes on by one that nobody sets: neither a jump forward makes a page nor one back
 * delays it.
 * @param monotonic milliseconds since any moment
 */
export function steadyClock(wall: number, monotonic: () => number): () => number {
  const begin = monotonic();
  return () => wall + Math.round(monotonic() - begin);
}

export function onBeat(state: WatchState, now: number): WatchState {
  const { incident } = state;
  const lastBeat = Math.max(now, state.waitingSince);
  if (incident === undefined || incident.over !== undefined) return { ...state, lastBeat };
  // Nobody can have heard of it: nothing to take back.
  if (!incident.tried) return { ...state, lastBeat, incident: undefined };
  return { ...state, lastBeat, incident: { ...incident, over: now } };
}

/** When the heartbeat counts as missing. */
export function deadlineOf(state: WatchState, timeoutMs: number): number {
  return Math.max(state.lastBeat, state.waitingSince) + timeoutMs;
}

export function onTime(state: WatchState, now: number, timeoutMs: number, makeKey: () => string): WatchState {
  const { incident } = state;
  if (now < deadlineOf(state, timeoutMs)) return state;
  if (incident === undefined) {
    return { ...state, incident: { key: makeKey(), since: now, tried: false, paged: false, over: undefined } };
  }
  // It is missing again before anybody heard that it was back: the same incident, told once more.
  return incident.over === undefined ? state : { ...state, incident: { ...incident, paged: false, over: undefined } };
}

/** A page is about to be sent. */
export function onTry(state: WatchState): WatchState {
  const { incident } = state;
  return incident === undefined || incident.tried ? state : { ...state, incident: { ...incident, tried: true } };
}

/** What has to be paged now, undefined when nothing has. */
export function dueOf(state: WatchState): "trigger" | "resolve" | undefined {
  const { incident } = state;
  if (incident === undefined) return undefined;
  if (incident.over !== undefined) return "resolve";
  return incident.paged ? undefined : "trigger";
}

/** The page, or its end, of the incident with this key has arrived. */
export function onPaged(state: WatchState, key: string, what: "trigger" | "resolve"): WatchState {
  const { incident } = state;
  if (incident?.key !== key) return state;
  if (what === "trigger") return { ...state, incident: { ...incident, paged: true } };
  // Missing again meanwhile: its page comes next.
  return incident.over === undefined ? state : { ...state, incident: undefined };
}

/** A state as it was stored; undefined when it is none. */
export function readState(text: string): WatchState | undefined {
  try {
    const state = JSON.parse(text) as Partial<WatchState>;
    const isState =
      state?.version === 1 && typeof state.lastBeat === "number" && typeof state.waitingSince === "number";
    return isState ? { ...(state as WatchState), incident: state.incident ?? undefined } : undefined;
  } catch {
    return undefined;
  }
}
