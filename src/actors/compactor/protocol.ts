/** What the compactor's host and its thread say to each other. */
import type { JobResult, StorageJob } from "../../storage/engine/jobs.ts";

export interface CompactorThreadData {
  /** One Int32: the id of the job that is called off, seen while the thread computes. */
  readonly cancelled: SharedArrayBuffer;
}

export type ToCompactor =
  | { readonly kind: "job"; readonly id: number; readonly job: StorageJob }
  | { readonly kind: "stop" };

export type FromCompactor =
  | { readonly kind: "done"; readonly id: number; readonly result: JobResult }
  | { readonly kind: "failed"; readonly id: number; readonly message: string; readonly block?: string };
