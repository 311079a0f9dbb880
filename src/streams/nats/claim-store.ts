import { createHash } from "node:crypto";
import { DiscardPolicy, JetStreamApiError, jetstream, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { ClaimEntry, ClaimStore } from "../../model/claims.ts";
import { type Bus, connectBus } from "./bus.ts";
import { messageOf } from "./nats-error.ts";
import type { Say } from "./say.ts";
import { CLAIMS_STREAM, CLAIMS_SUBJECTS, claimSubject } from "./subjects.ts";

export interface SharedClaimStore extends ClaimStore {
  /** Whether it can be asked now. */
  connected(): boolean;
  close(): Promise<void>;
}

/** Longer than anything told is remembered. */
const MAX_AGE_MS = 14 * 86_400_000;
/** Entries are a few hundred bytes; with a thousand alerts in a group, some tens of KiB. */
const MAX_BYTES = 1 << 30;
const PROVISION_RETRY_MS = 1000;
const WRONG_LAST_SEQUENCE = 10071;

/**
 * The entries of claims, one message for each subject in a stream that several Tocsins share. Connects in the background, for as long as
 * it takes, and again whenever the connection is lost; meanwhile reads and writes reject at once.
 */
export function openClaimStore(url: string, say: Say, leaseMs?: number): SharedClaimStore {
  const closing = new AbortController();
  let bus: Bus | undefined;
  let made = false;
  const provision = async (opened: Bus): Promise<void> => {
    made = false;
    while (!closing.signal.aborted && !made) {
      try {
        await opened.jsm.streams.add({
          name: CLAIMS_STREAM,
          subjects: [CLAIMS_SUBJECTS],
          storage: StorageType.File,
          retention: RetentionPolicy.Limits,
          discard: DiscardPolicy.Old,
          max_msgs_per_subject: 1,
          max_age: nanos(MAX_AGE_MS),
          max_bytes: MAX_BYTES,
        });
        made = true;
      } catch (error) {
        if (error instanceof JetStreamApiError && /already in use/.test(error.message)) made = true;
        else if (!opened.connected()) return;
        else await new Promise((resolve) => setTimeout(resolve, PROVISION_RETRY_MS).unref());
      }
    }
  };
  const connecting = (async () => {
    const opened = await connectBus(url, { say, signal: closing.signal, name: "tocsin-claims" });
    bus = opened;
    opened.onReconnect(() => void provision(opened));
    await provision(opened);
  })().catch((error: unknown) => {
    if (!closing.signal.aborted) say("error", `notifications are sent without claims: ${messageOf(error)}`);
  });
  const usable = (): Bus => {
    if (bus === undefined || !made || !bus.connected())
      throw new Error(`not connected to ${url.replace(/\/\/.*@/, "//")}`);
    return bus;
  };
  return {
    ...(leaseMs === undefined ? {} : { leaseMs }),
    connected: () => bus !== undefined && made && bus.connected(),
    read: async (key) => {
      const message = await usable().jsm.streams.getMessage(CLAIMS_STREAM, { last_by_subj: claimSubject(nameOf(key)) });
      return message === null ? undefined : { entry: message.json<ClaimEntry>(), revision: message.seq };
    },
    write: async (key, entry, revision) => {
      try {
        const ack = await jetstream(usable().nc).publish(claimSubject(nameOf(key)), JSON.stringify(entry), {
          expect: { lastSubjectSequence: revision },
        });
        return ack.seq;
      } catch (error) {
        if (error instanceof JetStreamApiError && error.code === WRONG_LAST_SEQUENCE) return undefined;
        throw error;
      }
    },
    close: async () => {
      closing.abort();
      await connecting;
      await bus?.close();
    },
  };
}

/** Keys have blanks and dots. */
function nameOf(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 32);
}
