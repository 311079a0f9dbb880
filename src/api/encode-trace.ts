import type { TraceSpan } from "../model/query.ts";

/** Something that is encoded piece by piece, and how long making the pieces took: not the time until they were asked for. */
export interface Timed {
  readonly pieces: Iterable<Buffer>;
  /** Milliseconds so far. */
  ms(): number;
}

export function timed(body: Iterable<Buffer>, now: () => number = () => performance.now()): Timed {
  let spent = 0;
  function* pieces(): Generator<Buffer> {
    const iterator = body[Symbol.iterator]();
    for (;;) {
      const from = now();
      const next = iterator.next();
      spent += now() - from;
      if (next.done === true) return;
      yield next.value;
    }
  }
  return { pieces: pieces(), ms: () => spent };
}

/** A query's trace as JSON, `encode` behind what came before it. Durations in ms, cut after the microseconds. */
export function encodeTrace(trace: TraceSpan, encodeMs: number): string {
  const children = [...(trace.children ?? []), { name: "encode", ms: encodeMs }];
  return JSON.stringify({ ...trace, ms: trace.ms + encodeMs, children }, (key, value: unknown) =>
    // Rounded down, so that parts do not become more than the whole.
    key === "ms" ? Math.floor((value as number) * 1000) / 1000 : value,
  );
}
