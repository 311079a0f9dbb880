/** What the runtime tells the outside about its actors: deaths by child and the mailboxes' depths, for /metrics. */
import type { DeathNotice, OnDeath } from "./death.ts";
import type { Mailbox, MailboxStats } from "./mailbox.ts";

export interface DeathCount {
  readonly supervisor: string;
  readonly child: string;
  readonly deaths: number;
  readonly lastReason: string;
}

export interface Census {
  /** Give this to the supervisors. */
  readonly onDeath: OnDeath;
  /** Counts a mailbox in; returns the function that counts it out again. */
  watch(mailbox: Pick<Mailbox<unknown>, "stats">): () => void;
  deaths(): readonly DeathCount[];
  mailboxes(): readonly MailboxStats[];
}

/** Makes an empty census. `alsoTell` hears of each death too. */
export function makeCensus(alsoTell?: OnDeath): Census {
  const deaths = new Map<string, DeathCount>();
  const watched = new Set<Pick<Mailbox<unknown>, "stats">>();
  return {
    onDeath: (notice: DeathNotice) => {
      const { supervisor, child, reason } = notice;
      const key = `${supervisor}/${child}`;
      deaths.set(key, { supervisor, child, deaths: (deaths.get(key)?.deaths ?? 0) + 1, lastReason: reason });
      alsoTell?.(notice);
    },
    watch: (mailbox) => {
      watched.add(mailbox);
      return () => watched.delete(mailbox);
    },
    deaths: () => [...deaths.values()],
    mailboxes: () => [...watched].map((m) => m.stats()),
  };
}
