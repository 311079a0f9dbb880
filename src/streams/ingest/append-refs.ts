import { hash96 } from "../../lib/hash64.ts";
import type { SeriesRef } from "../../model/ingest.ts";
import type { Labels } from "../../model/labels.ts";
import { formatLabels } from "../../model/labels.ts";
import { makeArena } from "../codec/byte-arena.ts";
import { writeLabel } from "../codec/label-text.ts";
import { type Appended, type BatchCore, enterCanonical, type RunTimes } from "./append-batch.ts";
import { type AppendCore, appendRows, type Run } from "./append-rows.ts";
import { canonicalize } from "./canonical.ts";
import type { Ticket } from "./partition-queue.ts";
import { type Rejections, type RejectReason, reject } from "./rejections.ts";
import { checkOf, lookupRaw, lookupSeries, NOT_FOUND, speaker } from "./series-cache.ts";
import type { TenantInfo, Tenants } from "./tenants.ts";

/** A handle of this gateway: what `canonicalize` said when it was made. */
interface GatewayRef extends SeriesRef {
  readonly check: number;
  readonly problem: { readonly reason: RejectReason; readonly message: string } | undefined;
}

const arena = makeArena(4096);
const rawHash = new Uint32Array(3);

/** Makes the handle of a series. Labels that cannot be taken make a handle whose samples are rejected with the reason. */
export function makeRef(core: AppendCore & BatchCore, tenant: TenantInfo, labels: Labels): SeriesRef {
  const problem = labels.every((s) => s.isWellFormed()) ? undefined : NOT_UNICODE;
  canonicalLabels(core, tenant, labels);
  const [hashLo, hashHi, check] = core.canonical.hash as unknown as [number, number, number];
  const ref: GatewayRef = {
    tenant: tenant.name,
    labels,
    hashLo,
    hashHi,
    check,
    problem: problem ?? core.canonical.problem,
  };
  return ref;
}

const NOT_UNICODE = { reason: "invalid_utf8", message: "a label is not well-formed Unicode" } as const;

/** Makes `core.canonical` that of the labels and `rawHash` what their bytes hash to; false when they cannot be taken. */
function canonicalLabels(core: AppendCore & BatchCore, tenant: TenantInfo, labels: Labels): boolean {
  let end = 0;
  for (let i = 0; i < labels.length; i += 2) end = writeLabel(arena, end, labels[i] as string, labels[i + 1] as string);
  hash96(arena.view, 0, end, tenant.seeds.a, tenant.seeds.b, tenant.seeds.c, rawHash, 0);
  return canonicalize(core.canonical, tenant.bytes, arena.bytes, 0, end, core.limitsOf(tenant.name));
}

/** Columns of samples, one a handle; `histograms` is what tagged values point into, where there are any. */
export interface RefSamples {
  readonly ts: Float64Array;
  readonly values: Float64Array;
  readonly histograms?: Uint8Array | undefined;
}

/** Puts one sample of each handle into the open frames; returns how many were taken. */
export function appendRefs(
  core: AppendCore & BatchCore,
  tenants: Tenants,
  refs: readonly SeriesRef[],
  { ts, values, histograms }: RefSamples,
  times: RunTimes,
  ticket: Ticket,
  rejected: Rejections,
): Appended {
  const whole = ts.map(Math.round);
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
  const sum = { samples: 0, histograms: 0, exemplars: 0 };
  let run: Run | undefined;
  let tenantName = "";
  for (let i = 0; i < refs.length; i++) {
    const given = refs[i] as SeriesRef;
    if (run === undefined || given.tenant !== tenantName) {
      addRun(sum, run);
      tenantName = given.tenant;
      run = refsRun(core, tenants.info(tenantName), refs, { ts: whole, words, histograms }, times, ticket, rejected);
    }
    const ref = own(core, tenants, given);
    if (ref.problem !== undefined) {
      const { reason, message } = ref.problem;
      reject(rejected, reason, 1, () => `${formatLabels(ref.labels)}: ${message}`);
      continue;
    }
    appendRows(core, run, entryOf(core, tenants, ref), i, i, i + 1);
  }
  addRun(sum, run);
  return sum;
}

function addRun(sum: { samples: number; histograms: number }, run: Run | undefined): void {
  sum.samples += run?.accepted ?? 0;
  sum.histograms += run?.acceptedHistograms ?? 0;
}

function entryOf(core: AppendCore & BatchCore, tenants: Tenants, ref: GatewayRef): number {
  const entry = lookupSeries(core.cache, ref.hashLo, ref.hashHi);
  if (entry !== NOT_FOUND && checkOf(core.cache, entry) === ref.check) return entry;
  // Unknown, or another label set speaks for the hash: then its own entry is found by its bytes.
  canonicalLabels(core, tenants.info(ref.tenant), ref.labels);
  const raw = lookupRaw(core.cache, rawHash, 0);
  return speaker(core.cache, raw === NOT_FOUND ? enterCanonical(core, rawHash, 0) : raw);
}

function own(core: AppendCore & BatchCore, tenants: Tenants, ref: SeriesRef): GatewayRef {
  return "check" in ref ? (ref as GatewayRef) : (makeRef(core, tenants.info(ref.tenant), ref.labels) as GatewayRef);
}

function refsRun(
  core: AppendCore & BatchCore,
  tenant: TenantInfo,
  refs: readonly SeriesRef[],
  { ts, words, histograms }: Pick<Run, "ts" | "words" | "histograms">,
  times: RunTimes,
  ticket: Ticket,
  rejected: Rejections,
): Run {
  return {
    tenant: tenant.bytes,
    ts,
    words,
    histograms,
    ticket,
    rejected,
    nowSeconds: times.nowSeconds,
    maxTime: times.maxTime,
    minTime: times.minTime,
    accepted: 0,
    acceptedHistograms: 0,
    define: (i) => canonicalLabels(core, tenant, (refs[i] as SeriesRef).labels),
    describe: (i) => formatLabels((refs[i] as SeriesRef).labels),
  };
}
