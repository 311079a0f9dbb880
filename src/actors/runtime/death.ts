/** Death notices: what a supervisor says when a child ends, as a log line, a metric and a hook. */
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";

/** What the supervisor does about a death. */
export type DeathAction =
  /** Starts the child again after `delayMs`. */
  | "restart"
  /** Lets it rest: its restart policy says so. */
  | "rest"
  /** Fails itself: too many deaths in too little time. */
  | "give-up";

export interface DeathNotice {
  readonly supervisor: string;
  readonly child: string;
  /** `failure`: a typed error or a throw; `return`: the child's effect ended though nobody stopped it. */
  readonly kind: "failure" | "return";
  /** Why, in one line. */
  readonly reason: string;
  /** The cause in full, with stacks; undefined for `return`. */
  readonly detail: string | undefined;
  /** Deaths within the intensity's window, this one included. */
  readonly deaths: number;
  readonly action: DeathAction;
  readonly delayMs: number;
}

/** Hears of every death, synchronously; must not throw. */
export type OnDeath = (notice: DeathNotice) => void;

/** One line for an exit: the error's tag and message, or what was thrown. */
export function exitReason(exit: Exit.Exit<unknown, unknown>): string {
  if (Exit.isSuccess(exit)) return "returned";
  return errorLine(Cause.squash(exit.cause));
}

function errorLine(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === "string" ? error : (JSON.stringify(error) ?? String(error));
  const text = error.message === "" || error.message === error.name ? error.name : `${error.name}: ${error.message}`;
  return text.split("\n", 1)[0] as string;
}

/** The log line of a death. A death at shutdown (interruption) is none, so this is never called for one. */
export function logDeath(notice: DeathNotice): Effect.Effect<void> {
  const { supervisor, child, reason, deaths, action, delayMs } = notice;
  const then =
    action === "restart"
      ? `restarting in ${Math.round(delayMs)} ms`
      : action === "give-up"
        ? `giving up after ${deaths} deaths`
        : "it stays down";
  const line = `${supervisor}/${child} died (${reason}); ${then}`;
  const annotated = {
    supervisor,
    child,
    deaths,
    action,
    ...(notice.detail === undefined ? {} : { cause: notice.detail }),
  };
  const write = notice.kind === "return" && action === "rest" ? Effect.logInfo(line) : Effect.logError(line);
  return Effect.annotateLogs(write, annotated);
}
