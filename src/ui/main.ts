import { makeAlertsSection } from "./alerts.ts";
import { byId } from "./dom.ts";
import { makeHostSection } from "./host.ts";
import { refreshRules, refreshTargets } from "./lists.ts";
import { makeQuerySection } from "./query.ts";

/** The page is read again this often while it is looked at. */
const REFRESH_MS = 5_000;

const status = byId("status");
const host = makeHostSection();
const query = makeQuerySection();
const alerts = makeAlertsSection();

async function refresh(): Promise<void> {
  const outcomes = await Promise.allSettled([host.refresh(), alerts.refresh(), refreshRules(), refreshTargets()]);
  const failed = outcomes.find((o) => o.status === "rejected");
  status.className = failed === undefined ? "status ok" : "status bad";
  status.textContent =
    failed === undefined ? `live, ${new Date().toLocaleTimeString()}` : `no data: ${(failed.reason as Error).message}`;
}

/** One refresh after the other, never two at once however slow the answers are. */
async function live(): Promise<void> {
  if (!document.hidden) await refresh();
  setTimeout(() => void live(), REFRESH_MS);
}

if (location.pathname.endsWith("/alerts") && location.hash === "") byId("firing").scrollIntoView();
void live();
void query.refresh();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refresh();
});
