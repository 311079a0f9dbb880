/** Schedules and escalations as they are used: checked, times of the calendar as local times (zone-time.ts), durations in ms. */
export interface EscalationConfig {
  readonly schedules: ReadonlyMap<string, Schedule>;
  readonly escalations: ReadonlyMap<string, Escalation>;
  readonly links: LinkConfig;
}

export interface LinkConfig {
  /** File with the secret that links are signed with; undefined: one in the data dir, made when it is missing. */
  readonly secretFile: string | undefined;
  /** How long the link in a message works. */
  readonly expiresMs: number;
}

/** Who is on call: one receiver at a time. Overrides go before rotations, a later rotation before an earlier one. */
export interface Schedule {
  readonly name: string;
  /** IANA name. */
  readonly zone: string;
  readonly rotations: readonly Rotation[];
  /** In the order of time, none over another. */
  readonly overrides: readonly Override[];
}

export interface Rotation {
  /** In the order in which they take over, at least one. */
  readonly receivers: readonly string[];
  /** Local time of the first hand-over; before it nobody is on call by this rotation. */
  readonly start: number;
  /** Local time at which the rotation is over. */
  readonly end: number | undefined;
  /** Length of a shift on the clocks of the zone: a week has seven days also when one has 23 hours. */
  readonly shiftMs: number;
  /** When the rotation holds; empty: always. */
  readonly restrict: readonly Restriction[];
}

export interface Restriction {
  /** On which a window begins, 0 = Sunday; empty: every day. */
  readonly weekdays: readonly number[];
  /** Minutes of the day; an end that is not after the start is on the day after. */
  readonly from: number;
  readonly to: number;
}

export interface Override {
  /** Unix ms, end exclusive. */
  readonly start: number;
  readonly end: number;
  readonly receiver: string;
}

/** Whom to page, and whom next, while nobody acknowledges. */
export interface Escalation {
  readonly name: string;
  /** At least one, by `afterMs`. */
  readonly steps: readonly EscalationStep[];
  /** How often the whole chain begins anew after its first run; Infinity: until somebody acknowledges. */
  readonly repeat: number;
  /** From the last step to the first one of the next run. */
  readonly repeatAfterMs: number;
  /** An acknowledgement holds so long while the alerts go on firing; 0: to their end. */
  readonly ackTimeoutMs: number;
  /** A new alert in an acknowledged (or exhausted) group pages anew, from the first step on. */
  readonly repageOnNewAlerts: boolean;
}

export interface EscalationStep {
  /** From the beginning of the run. */
  readonly afterMs: number;
  readonly notify: readonly StepTarget[];
}

export interface StepTarget {
  readonly kind: "receiver" | "schedule";
  readonly name: string;
}

/** A file without escalations. */
export const NO_ESCALATIONS: EscalationConfig = {
  schedules: new Map(),
  escalations: new Map(),
  links: { secretFile: undefined, expiresMs: 7 * 86_400_000 },
};
