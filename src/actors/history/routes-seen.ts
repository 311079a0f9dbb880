import type { Labels } from "../../model/labels.ts";
import type { AlertManager } from "../alert/alert-manager.ts";
import type { Route } from "../alert/alertmanager-config.ts";
import { groupIdentity } from "../alert/dispatcher.ts";
import { mutedBy } from "../alert/notify-group.ts";
import { compileRoute, groupKeyOf, groupLabelsOf, type RouteNode, routesOf } from "../alert/route.core.ts";
import { notificationSubject, ROUTING_SUBJECT } from "./event-subjects.ts";
import { lastBefore, type RouteSeen } from "./evidence.ts";
import type { Records } from "./read-records.ts";

interface Routing {
  readonly hash: string;
  readonly route: Route;
  readonly receivers: readonly { readonly name: string; readonly integrations: readonly string[] }[];
}

/** The routes that take an alert by the configuration of a time, and what is recorded of its groups there. */
export async function routesSeen(
  { alertManager }: { readonly alertManager: Pick<AlertManager, "held" | "escalations"> },
  records: Records,
  alert: { readonly labels: Labels; readonly fingerprint: string },
  request: { readonly time: number; readonly receiver?: string },
): Promise<RouteSeen[]> {
  const { config, root, groups } = alertManager.held();
  const routings = await records.read("alerts", [ROUTING_SUBJECT]);
  const then = lastBefore(routings, request.time, (e) => e.type === "routing")?.event as Routing | undefined;
  const recorded = then === undefined || then.hash === config.hash ? undefined : treeOf(then);
  const isNow = recorded === undefined;
  const tree = recorded ?? root;
  const wanted = routesOf(tree, alert.labels).filter(
    (r) => request.receiver === undefined || r.receiver === request.receiver,
  );
  return Promise.all(
    wanted.map(async (route): Promise<RouteSeen> => {
      const labels = groupLabelsOf(route, alert.labels);
      const groupKey = groupKeyOf(route, labels);
      const receiver = isNow
        ? config.receivers.find((r) => r.name === route.receiver)?.integrations.map((i) => i.name)
        : then?.receivers.find((r) => r.name === route.receiver)?.integrations;
      // Two routes may have the same key.
      const identity = groupIdentity(route, labels);
      const escalations = alertManager.escalations.all().filter((e) => e.state.group === identity);
      const escalation = escalations.flatMap((e) => e.state.paged);
      const subjects = new Set(
        [route.receiver, ...fallbacksOf(config, route), ...escalation].map((name) =>
          notificationSubject(name, groupKey),
        ),
      );
      const events = await records.read("notifications", [...subjects]);
      return {
        route,
        groupKey,
        integrations: receiver,
        muting: mutedBy(config, route, request.time),
        ofThen: then !== undefined && (then.hash === config.hash || recorded !== undefined),
        held: groups.get(identity),
        events: events.filter((e) => e.event.groupKey === groupKey),
        escalations: escalations.map((e) => e.state),
        escalationConfig: config.escalation,
      };
    }),
  );
}

/** Undefined for a record that is none of ours. */
function treeOf(routing: Routing): RouteNode | undefined {
  try {
    return Array.isArray(routing.receivers) ? compileRoute(routing.route) : undefined;
  } catch {
    return undefined;
  }
}

function fallbacksOf(config: ReturnType<AlertManager["held"]>["config"], route: Route): string[] {
  const own = config.receivers.find((r) => r.name === route.receiver)?.fallbackReceiver;
  return [own, config.fallbackReceiver].filter((name) => name !== undefined);
}
