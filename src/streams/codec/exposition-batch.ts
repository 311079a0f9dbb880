import { parseExposition } from "./exposition.ts";
import { expositionPairs } from "./exposition-labels.ts";
import { writeLabel } from "./label-text.ts";
import { type HashSeeds, pushSample, pushSeries, type SampleBatch } from "./sample-batch.ts";

/** Reads a text exposition body into the batch; samples without a time get `now`. Throws `ExpositionError`. */
export function readExposition(batch: SampleBatch, body: Uint8Array, now: number, seeds: HashSeeds): void {
  let at = 0;
  parseExposition(body, {
    sample: (start, end, value, timestamp, line) => {
      const labels = at;
      const pairs = expositionPairs(body, start, end);
      for (let i = 0; i < pairs.length; i += 2)
        at = writeLabel(batch.arena, at, pairs[i] as string, pairs[i + 1] as string);
      pushSample(batch, Number.isNaN(timestamp) ? now : timestamp, value);
      pushSeries(batch, labels, at, line, seeds);
    },
  });
}
