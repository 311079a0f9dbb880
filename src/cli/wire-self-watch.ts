import { isResolved } from "../actors/alert/alert-store.ts";
import { fingerprint } from "../actors/alert/fingerprint.ts";
import { type SelfCheck, selfWatch } from "../actors/alert/self-watch.ts";
import type { Loaded } from "./load-all.ts";
import { makeShardTrouble } from "./shard-trouble.ts";
import type { BusParts } from "./wire-bus.ts";
import type { Parts } from "./wire-parts.ts";

/** A bus or a shard that is started again within this is nobody's concern. */
const SHORTEST_HOLD_MS = 10_000;
const HOLD_INTERVALS = 2;

/** Watches the bus and the shards from within, since rules see nothing new without them. */
export function wireSelfWatch(parts: Parts, busParts: BusParts, loaded: () => Loaded, externalUrl: string) {
  const trouble = makeShardTrouble(() => performance.now());
  const bus: SelfCheck = {
    alertname: "TocsinBusDown",
    summary: "Tocsin's bus does not take samples: nothing new is seen",
    description:
      "Senders are refused, alerts that fire go on, and conditions are looked at with the samples of before.",
    trouble: () =>
      busParts.trouble() ?? (busParts.bus.connected() ? undefined : `NATS at ${busParts.bus.url} does not answer.`),
  };
  const shards: SelfCheck = {
    alertname: "TocsinShardsDown",
    summary: "Shards of Tocsin do not answer: what they hold is not seen",
    description: "Their samples wait in the stream, queries are partial, alerts on their series go on as they were.",
    trouble: () =>
      trouble.look(
        parts.shards.hosts.map((host) => host.status()),
        busParts.bus.connected(),
      ),
    isWell: trouble.isWell,
  };
  const { evaluationIntervalMs } = loaded().config.global;
  return selfWatch({
    checks: [bus, shards],
    sink: parts.alertManager.receive,
    holdMs: Math.max(SHORTEST_HOLD_MS, HOLD_INTERVALS * evaluationIntervalMs),
    externalLabels: () => loaded().config.global.externalLabels,
    externalUrl,
    firesSince: (labels, now) => {
      const alert = parts.alertManager.held().alerts.get(fingerprint(labels));
      return alert === undefined || isResolved(alert, now) ? undefined : alert.startsAt;
    },
  });
}
