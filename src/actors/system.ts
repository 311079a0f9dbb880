import type * as Effect from "effect/Effect";
import type * as Scope from "effect/Scope";
import type { OnDeath } from "./runtime/death.ts";
import { type ChildSpec, type GaveUp, KEEP_TRYING, oneForOne } from "./runtime/supervisor.ts";

/** The parts of a running Tocsin that live and die, each an effect that does not return. Wired by src/cli/run-tocsin.ts. */
export interface SystemParts {
  /** One worker thread a partition, under a supervisor of their own. */
  readonly shards: Running;
  readonly compactor: Running;
  readonly ingestSubject: Running;
  readonly labelRequests: Running;
  readonly scrapes: Running;
  readonly hostCollector?: Running;
  readonly alertManager: Running;
  readonly rules: Running;
  readonly api: Running;
}

type Running = Effect.Effect<unknown, unknown, Scope.Scope>;

/** An actor, or a supervisor of some. */
export type TreeNode =
  | { readonly id: string; readonly run: Running }
  | { readonly id: string; readonly children: readonly TreeNode[] };

/**
 * The supervision tree. All of it is one_for_one: whatever dies is started again after a backoff, and its siblings go on.
 * What each actor owns, and what its death costs: docs/actors.md.
 *
 * A stop goes through it from the bottom to the top: each node has ended before the one above it is told, since what stands
 * below uses what stands above. The API answers what it has taken while shards, alerting and the bus are there; rules are no
 * longer evaluated when the alert manager ends; shards go last, and the bus after the tree.
 *
 *     tocsin
 *     ├── bus                    the embedded nats-server process (none where a NATS URL is given)
 *     ├── shards
 *     │   └── shard-<p>          worker thread: WAL, head, queries of one partition
 *     ├── compactor              worker thread: merges and rolls up the shards' blocks
 *     ├── gateway
 *     │   ├── ingest-subject     what agents publish on NATS
 *     │   └── label-requests     shards that ask for labels
 *     ├── collectors
 *     │   ├── scrapes            one actor a target, one a discovery
 *     │   └── host               this machine
 *     ├── alerting
 *     │   ├── alert-manager      one actor a group, one a receiver
 *     │   └── rules              one actor a rule group
 *     └── api                    HTTP: ingest, queries, the page
 */
export function systemTree(parts: SystemParts): readonly TreeNode[] {
  return [
    { id: "shards", run: parts.shards },
    { id: "compactor", run: parts.compactor },
    {
      id: "gateway",
      children: [
        { id: "ingest-subject", run: parts.ingestSubject },
        { id: "label-requests", run: parts.labelRequests },
      ],
    },
    {
      id: "collectors",
      children: [
        { id: "scrapes", run: parts.scrapes },
        ...(parts.hostCollector === undefined ? [] : [{ id: "host", run: parts.hostCollector }]),
      ],
    },
    {
      id: "alerting",
      children: [
        { id: "alert-manager", run: parts.alertManager },
        { id: "rules", run: parts.rules },
      ],
    },
    { id: "api", run: parts.api },
  ];
}

/** Runs the nodes under a supervisor that never gives up: a part that keeps dying must not take the others along. */
function supervise(
  supervisor: string,
  nodes: readonly TreeNode[],
  onDeath: OnDeath,
): Effect.Effect<void, GaveUp, never> {
  const child = (node: TreeNode): ChildSpec<Scope.Scope> => ({
    id: node.id,
    restart: "permanent",
    run: "run" in node ? node.run : supervise(node.id, node.children, onDeath),
  });
  return oneForOne(supervisor, nodes.map(child), KEEP_TRYING, onDeath, "in reverse");
}

/** The bus comes before the tree, because all of the tree talks over it; it is supervised in the same way. */
export function superviseBus(run: Running, onDeath: OnDeath): Effect.Effect<void, GaveUp> {
  return supervise("tocsin", [{ id: "bus", run }], onDeath);
}

export function superviseSystem(parts: SystemParts, onDeath: OnDeath): Effect.Effect<void, GaveUp> {
  return supervise("tocsin", systemTree(parts), onDeath);
}
