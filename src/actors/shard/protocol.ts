/** What a shard's host and its worker thread say to each other: plain data that structured clone carries. */
import { QueryError, type QueryErrorType } from "../../model/query.ts";
import type { ShardRequest } from "../../model/shard.ts";
import type { JobResult, StorageJob } from "../../storage/engine/jobs.ts";

import type { LaneBounds } from "./lanes.ts";
import type { StorageSettings } from "./storage-settings.ts";

/** Given to the thread at its start. */
export interface ShardThreadData {
  readonly partition: number;
  readonly partitions: number | undefined;
  /** The shard's folder. */
  readonly dir: string;
  readonly storage: StorageSettings;
  /** URL of the NATS server, credentials included. */
  readonly busUrl: string;
  readonly outOfOrderWindowMs: number;
  readonly maxParkedSamples: number;
  readonly lanes: LaneBounds | undefined;
  /** One Int32 a request slot: 1 when the request in that slot is cancelled, seen even while the thread computes. */
  readonly cancelled: SharedArrayBuffer;
  /** Where it says how far its stream can be queried (visible-cell.ts). */
  readonly visible: SharedArrayBuffer;
}

export type ToShard =
  | { readonly kind: "request"; readonly id: number; readonly slot: number; readonly request: ShardRequest }
  | { readonly kind: "jobDone"; readonly id: number; readonly outcome: JobOutcome }
  | { readonly kind: "stop" };

/** What became of a job that the shard gave away. */
export type JobOutcome =
  | { readonly result: JobResult }
  | { readonly cancelled: true }
  | { readonly message: string; readonly block: string | undefined };

export type FromShard =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: CarriedError }
  | { readonly kind: "job"; readonly id: number; readonly job: StorageJob }
  | { readonly kind: "cancelJob"; readonly id: number }
  | { readonly kind: "phase"; readonly phase: ShardPhase; readonly detail: string }
  | { readonly kind: "log"; readonly level: "debug" | "info" | "warn" | "error"; readonly line: string };

/**
 * The life of an incarnation: it reads its WAL, waits for the bus, consumes what the stream had at that moment (the newest
 * first, then the backlog behind it), and is ready. Queries are answered from `connecting` on. `down` is between two
 * incarnations. A shard that falls behind later stays ready: its lag and its answers say that something is missing.
 */
export type ShardPhase = "down" | "replaying" | "connecting" | "catching-up" | "ready";

/** An error as data. `queryType` is there for a QueryError, which must reach the API as one. */
export interface CarriedError {
  readonly message: string;
  readonly queryType?: QueryErrorType;
}

export function carryError(error: unknown): CarriedError {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof QueryError ? { message, queryType: error.type } : { message };
}

export function uncarryError(error: CarriedError): Error {
  return error.queryType === undefined ? new Error(error.message) : new QueryError(error.queryType, error.message);
}
