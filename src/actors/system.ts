import type * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import type { OnDeath } from "./runtime/death.ts";
import { type ChildSpec, type GaveUp, KEEP_TRYING, oneForOne } from "./runtime/supervisor.ts";

/** The parts of a running Tocsin that live and die, each an effect that does not return. Wired by src/cli/serve.ts. */
export interface SystemParts {
  /** One worker thread a partition, under a supervisor of their own. */
  readonly shards: ChildSpec;
  readonly ingestSubject: Running;
  readonly labelRequests: Running;
  readonly scrapes: Running;
  readonly hostCollector?: Running;
  readonly alertManager: Running;
  readonly rules: Running;
  readonly api: Running;
}

type Running = Effect.Effect<unknown, unknown, Scope.Scope>;

/**
 * The supervision tree. All of it is one_for_one: whatever dies is started again after a backoff, and its siblings go on.
 *
 *     tocsin
 *     ├── bus                    the embedded nats-server process (none where a NATS URL is given)
 *     ├── shards
 *     │   └── shard-<p>          worker thread: WAL, head, queries of one partition
 *     ├── gateway
 *     │   ├── ingest-subject     what agents publish on NATS
 *     │   └── label-requests     shards that ask for labels
 *     ├── collectors
 *     │   ├── scrapes            one actor a target
 *     │   └── host               this machine
 *     ├── alerting
 *     │   ├── alert-manager      one actor a group, one a receiver
 *     │   └── rules              one actor a rule group
 *     └── api                    HTTP: ingest, queries, the page
 */
export function systemTree(parts: SystemParts, onDeath: OnDeath): readonly ChildSpec[] {
  const permanent = (id: string, run: Running): ChildSpec => ({ id, restart: "permanent", run });
  const supervisor = (id: string, children: readonly ChildSpec[]): ChildSpec =>
    permanent(id, oneForOne(id, children, KEEP_TRYING, onDeath));
  return [
    parts.shards,
    supervisor("gateway", [
      permanent("ingest-subject", parts.ingestSubject),
      permanent("label-requests", parts.labelRequests),
    ]),
    supervisor("collectors", [
      permanent("scrapes", parts.scrapes),
      ...(parts.hostCollector === undefined ? [] : [permanent("host", parts.hostCollector)]),
    ]),
    supervisor("alerting", [permanent("alert-manager", parts.alertManager), permanent("rules", parts.rules)]),
    permanent("api", parts.api),
  ];
}

/** The bus comes before the tree, because all of the tree talks over it; it is supervised in the same way. */
export function superviseBus(run: Running, onDeath: OnDeath): Effect.Effect<void, GaveUp> {
  return oneForOne("tocsin", [{ id: "bus", restart: "permanent", run }], KEEP_TRYING, onDeath);
}

export function superviseSystem(parts: SystemParts, onDeath: OnDeath): Effect.Effect<void, GaveUp> {
  return oneForOne("tocsin", systemTree(parts, onDeath), KEEP_TRYING, onDeath);
}
