import { setImmediate as turn } from "node:timers/promises";
import { TryLater } from "../../model/ingest.ts";

/**
 * Where large bodies wait, so that the thread that reads them keeps answering everything else.
 *
 * Invariants:
 * - one body at a time is worked on, and before each the event loop turns as often as a new connection takes to be answered;
 * - tenants come in turn, the bodies of one in the order in which they came;
 * - what waits is bounded also where senders leave without an answer, whose bodies nobody else counts any more.
 */
export interface LargeGate {
  /**
   * Resolves when it is the body's turn, to the function that must be called once it was worked on. Throws TryLater
   * ("overloaded") when too much waits; a body alone is let in whatever its size.
   */
  enter(tenant: string, bytes: number): Promise<() => void>;
  /** Whether no body waits or is worked on. */
  idle(): boolean;
}

/**
 * Turns of the event loop between two pieces of work: a new connection is accepted in one, its request is read and mostly
 * answered in the next, an answer that has to wait for a promise of the system comes after. Without work they take microseconds.
 */
const TURNS = 4;

/** Resolves when others have had their turn. */
export async function othersTurn(): Promise<void> {
  for (let k = 0; k < TURNS; k++) await turn();
}

interface Waiting {
  readonly bytes: number;
  readonly start: () => void;
}

/** Makes a gate. `onIdle` is called whenever it becomes idle. */
export function makeLargeGate(maxWaitingBytes: number, onIdle: () => void): LargeGate {
  /** The tenant whose turn it is first. */
  const lanes = new Map<string, Waiting[]>();
  let working = false;
  let waitingBytes = 0;

  const startNext = () => {
    for (const [tenant, lane] of lanes) {
      const { bytes, start } = lane.shift() as Waiting;
      lanes.delete(tenant);
      if (lane.length > 0) lanes.set(tenant, lane);
      waitingBytes -= bytes;
      return start();
    }
    working = false;
    onIdle();
  };
  const next = () => void othersTurn().then(startNext);

  return {
    enter: (tenant, bytes) => {
      if (waitingBytes > 0 && waitingBytes + bytes > maxWaitingBytes) return Promise.reject(tooMuchWaits());
      const started = new Promise<() => void>((resolve) => {
        const lane = lanes.get(tenant);
        const waiting: Waiting = { bytes, start: () => resolve(next) };
        if (lane === undefined) lanes.set(tenant, [waiting]);
        else lane.push(waiting);
      });
      waitingBytes += bytes;
      if (!working) {
        working = true;
        next();
      }
      return started;
    },
    idle: () => !working,
  };
}

function tooMuchWaits(): TryLater {
  return new TryLater("overloaded", 503, 1, "too many large bodies wait to be read: send again later");
}
