import type { SampleBuffer } from "../../model/sample.ts";
import type { SeriesSource } from "../../model/series-source.ts";

/** A source whose series can be told to be those of another source: the head and each block are such. */
export interface IdentifiedSource extends SeriesSource {
  /** Writes the 96-bit hash of a series' tenant and labels to out[at], out[at + 1], out[at + 2]: low, high, check. */
  identity(id: number, out: Uint32Array, at: number): void;
  /** As of any source. With `once` the reader keeps what it gets: the source need not remember it. */
  read(id: number, minT: number, maxT: number, out: SampleBuffer, once?: boolean): void;
  /**
   * Time of the series' newest sample; absent where samples never come. NaN where samples have start times, or none is there.
   * A sample that is not newer is told by the source's own notes (head/past-changes.ts).
   */
  newestT?(id: number): number;
}
