import type { Explanation, Verdict } from "../../model/explain.ts";
import { formatLabels, labelsToObject } from "../../model/labels.ts";
import { type Evidence, isoTime, lastBefore, type RouteSeen, stepOf } from "./evidence.ts";
import { evaluationSteps, stateAt, whyNotFiring } from "./explain-evaluation.ts";
import { type RouteStory, routeStory } from "./explain-routes.ts";
import { shadowAdvice } from "./explain-shadow.ts";

/** Why somebody was paged for an alert at a time, or nobody: a pure function of what is known. */
export function explain(e: Evidence): Explanation {
  const state = stateAt(e);
  const chain = [...evaluationSteps(e, state)];
  const about = e.alert === undefined ? {} : labelsToObject(e.alert.labels);
  const name = e.alert === undefined ? "such an alert" : formatLabels(e.alert.labels);
  const answer = (verdict: Verdict, reason: string, sentence: string, advice: readonly string[] = []): Explanation => ({
    labels: { ...about },
    fingerprint: e.alert?.fingerprint ?? null,
    verdict,
    reason,
    sentence,
    advice,
    chain,
  });
  const firing = state.state === "firing" || state.state === "unseen_firing";
  if (!firing) {
    const { reason, sentence } = whyNotFiring(e, state);
    if (state.state === "pending" || state.state === "unseen_pending")
      return answer("pending", reason, `Not paged because ${sentence}.`);
    const advice =
      reason === "rule_unhealthy"
        ? ["mend the rule's expression, or what it reads; `tocsin check rules` looks at rule files"]
        : [];
    const unknown = state.state === "never" && e.rules.length === 0;
    if (unknown) chain.push(stepOf("alert", null, "unknown", sentence, "memory"));
    return answer(unknown ? "unknown_alert" : "inactive", reason, `Not paged because ${sentence}.`, advice);
  }
  if (state.shadow) {
    const demoted = lastBefore(e.events, e.time, (x) => x.action === "becameShadow" || x.action === "becameLive");
    const since = demoted?.event.action === "becameShadow" ? ` since ${isoTime(demoted.time)}` : "";
    const sentence = `Not paged because its rule is a shadow rule${since}: it is evaluated and recorded, and nobody is told.`;
    return answer("not_paged", "shadow", sentence, shadowAdvice(e, state));
  }
  const firedAt = state.firedAt ?? e.time;
  const stories = e.routes.map((r) => ({ r, story: routeStory(e, r, firedAt) }));
  for (const { story } of stories) chain.push(...story.steps);
  return answer(...verdictOf(stories, name));
}

const FAILED: ReadonlySet<string> = new Set(["delivery_failed", "fallback_told"]);

function verdictOf(
  stories: readonly { readonly r: RouteSeen; readonly story: RouteStory }[],
  name: string,
): [Verdict, string, string, readonly string[]] {
  const advice = [...new Set(stories.flatMap(({ story }) => story.advice))];
  const told = stories.filter(({ story }) => story.told !== undefined);
  const newest = told.toSorted((a, b) => (b.story.told?.at ?? 0) - (a.story.told?.at ?? 0))[0];
  if (newest?.story.told !== undefined) {
    const { at, whom } = newest.story.told;
    const silent = newest.story.held ? `now: ${newest.story.because}` : newest.story.because;
    // What failed on another route must not hide behind it.
    const failed = stories.filter(({ story }) => story !== newest.story && FAILED.has(story.reason));
    const but = failed.map(({ r, story }) => `; on the route ${r.route.key} to ${r.route.receiver}: ${story.because}`);
    return [
      "paged",
      newest.story.reason,
      `Paged: ${whom} was told at ${isoTime(at)}; ${silent}${but.join("")}.`,
      [...new Set([newest.story, ...failed.map((f) => f.story)].flatMap((story) => story.advice))],
    ];
  }
  const first = stories[0];
  if (first === undefined) return ["not_paged", "no_route", `Not paged because no route takes ${name}.`, []];
  const why = [...new Set(stories.map(({ story }) => story.because))].join("; and ");
  return ["not_paged", first.story.reason, `Not paged because ${why}.`, advice];
}
