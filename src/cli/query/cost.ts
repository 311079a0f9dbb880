import { type CostJson, counted, formatCount } from "./answer.ts";
import { ask, type Server, ServerError } from "./client.ts";
import { type Column, formatTable } from "./table.ts";
import { paint, type Screen, wrap } from "./terminal.ts";

/**
 * What the query would read, asked before it runs. Undefined where the server does not know the call. Throws `ServerError` for
 * everything else that is wrong.
 */
export async function askCost(
  server: Server,
  params: Iterable<readonly [string, string]>,
): Promise<CostJson | undefined> {
  try {
    return (await ask<CostJson>(server, "/api/v1/query_cost", params)).data;
  } catch (e) {
    // A Prometheus answers in plain text that there is no such page.
    if (e instanceof ServerError && (e.type === "not_found" || e.type === "")) return undefined;
    throw e;
  }
}

const COLUMNS: readonly Column[] = [
  { title: "would read" },
  { title: "series", align: "right" },
  { title: "samples", align: "right" },
  { title: "bytes", align: "right" },
  { title: "tiers" },
];

/** A line a selector, the points of the answer, and the limits that are in the way. */
export function formatCost(cost: CostJson, screen: Screen): string[] {
  const row = (name: string, { series, samples, bytes }: Numbers, tiers: string): string[] => {
    return [name, formatCount(series), `≈${formatCount(samples)}`, `≈${formatCount(bytes)}`, tiers];
  };
  const rows = cost.selectors.map((s) => row(s.selector, s, s.tiers.map((t) => t.tier).join(" ")));
  if (rows.length > 1) rows.push(row("together", cost, ""));
  const lines = rows.length === 0 ? [] : formatTable(COLUMNS, rows, screen);
  lines.push(...wrap(`${counted(cost.points, "point")} in the answer at most`, screen.width, "  "));
  for (const { limit, most, wanted } of cost.exceeds) {
    const text = `over ${limit}: ${formatCount(wanted)} of ${formatCount(most)}`;
    lines.push(...wrap(text, screen.width, "  ").map((line) => paint(screen, "yellow", line)));
  }
  return lines;
}

type Numbers = Pick<CostJson, "series" | "samples" | "bytes">;
