import { acknowledge, ask, type Escalation } from "./alert-data.ts";
import { makeAlertList } from "./alert-list.ts";
import { byId, el, state, table } from "./dom.ts";
import { count } from "./format.ts";
import { type Matcher, matcherText, parseMatchers } from "./matchers.ts";

interface Silence {
  readonly id: string;
  readonly status: { readonly state: string };
  readonly matchers: readonly Matcher[];
  readonly endsAt: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly untilResolved?: boolean;
  readonly recurrence?: readonly unknown[];
}

const DURATIONS: readonly (readonly [label: string, hours: number])[] = [
  ["for 1 hour", 1],
  ["for 4 hours", 4],
  ["for 1 day", 24],
  ["for 1 week", 168],
];
/** Who acknowledged or silenced in this browser last. */
const NAME_KEY = "tocsin.name";

/** The section of alerts and silences: what fires, who is paged, what is muted, and forms that acknowledge and silence. */
export function makeAlertsSection(): { refresh(): Promise<void> } {
  const form = byId<HTMLFormElement>("silence-form");
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement | HTMLSelectElement;
  const problem = byId("silence-error");
  for (const [label, hours] of DURATIONS) field("hours").append(el("option", { value: String(hours) }, label));
  field("hours").append(el("option", { value: "0" }, "until resolved"));
  field("author").value = localStorage.getItem(NAME_KEY) ?? "";

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const hours = Number(field("hours").value);
    const now = Date.now();
    void attempt(problem, refresh, async () => {
      const matchers = parseMatchers(field("matchers").value);
      if (matchers.length === 0) throw new Error('a silence needs a matcher, as alertname="Down"');
      await ask("silences", "POST", {
        matchers,
        startsAt: new Date(now).toISOString(),
        createdBy: field("author").value,
        comment: field("comment").value,
        ...(hours === 0 ? { untilResolved: true } : { endsAt: new Date(now + hours * 3_600_000).toISOString() }),
      });
      localStorage.setItem(NAME_KEY, field("author").value);
      field("matchers").value = "";
      field("comment").value = "";
    });
  });

  const acknowledging = makeAckDialog(() => refresh());
  const list = makeAlertList({
    silence: (matchers) => {
      field("matchers").value = matchers;
      form.scrollIntoView({ block: "center" });
      field(field("author").value === "" ? "author" : "comment").focus();
    },
    acknowledge: acknowledging,
  });

  const refresh = async () => {
    const [silences] = await Promise.all([ask<Silence[]>("silences"), list.refresh()]);
    const held = silences.filter((s) => s.status.state !== "expired");
    byId("silences-note").textContent = count(held.length, "silence");
    const rows = held.map((s) =>
      silenceRow(s, () => void attempt(problem, refresh, () => ask(`silence/${s.id}`, "DELETE"))),
    );
    byId("silences-list").replaceChildren(
      rows.length > 0
        ? table(["State", "Silence", "By", "Until", ""], rows)
        : el("p", { class: "empty" }, "no silences"),
    );
  };
  return { refresh };
}

/** The dialog that asks who acknowledges; a modal one keeps the keyboard inside, and Escape leaves it. */
function makeAckDialog(refresh: () => Promise<void>): (escalation: Escalation) => void {
  const dialog = byId<HTMLDialogElement>("ack-dialog");
  const form = byId<HTMLFormElement>("ack-form");
  const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;
  const problem = byId("ack-error");
  let chosen: Escalation | undefined;
  byId("ack-cancel").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { id } = chosen ?? {};
    if (id === undefined) return;
    void attempt(problem, refresh, async () => {
      await acknowledge(id, field("by").value, field("comment").value);
      localStorage.setItem(NAME_KEY, field("by").value);
      dialog.close();
    });
  });
  return (escalation) => {
    chosen = escalation;
    problem.hidden = true;
    field("by").value = localStorage.getItem(NAME_KEY) ?? "";
    field("comment").value = "";
    const firing = count(escalation.alerts.filter((a) => a.firing).length, "alert");
    byId("ack-about").textContent =
      `${escalation.escalation}, ${firing}: nobody is paged any more while you are on it.`;
    dialog.showModal();
  };
}

/** Does what a person asked for, shows what came of it, or beside the form why not. */
async function attempt(
  problem: HTMLElement,
  refresh: () => Promise<void>,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
    problem.hidden = true;
    await refresh();
  } catch (e) {
    problem.textContent = (e as Error).message;
    problem.hidden = false;
  }
}

function silenceRow(s: Silence, expire: () => void): (Node | string)[] {
  const matchers = s.matchers.map(matcherText).join(", ");
  const until = new Date(s.endsAt).toLocaleString();
  const notes = [s.comment, ...(s.recurrence === undefined ? [] : ["recurs"])].filter((x) => x !== "").join("; ");
  const end = el("button", { type: "button", "aria-label": `expire the silence ${matchers}` }, "Expire");
  end.addEventListener("click", expire);
  return [
    state(s.status.state),
    el("div", {}, el("code", {}, matchers), el("div", { class: "note" }, notes)),
    s.createdBy,
    s.untilResolved === true ? `resolved, at the latest ${until}` : until,
    end,
  ];
}
