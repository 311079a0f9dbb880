/**
 * What several Tocsins that evaluate the same rules say to one another about notifications: who tells a receiver of a group now, and
 * what it was told last. One entry for each group, receiver and integration.
 */
export interface ClaimEntry {
  /** Who wrote it. */
  readonly by: string;
  /** It is telling the receiver, or was when it was last heard of. */
  readonly held: boolean;
  readonly told?: ToldByAny;
}

/** What the receiver was told last, by whomever. Times are Unix ms. */
export interface ToldByAny {
  readonly by: string;
  readonly time: number;
  /** Fingerprints. */
  readonly firing: readonly string[];
  /** Fingerprints, with the end that was told. */
  readonly resolved: readonly (readonly [string, number])[];
}

/** Where the entries are; all who share it see the same. Rejects when it does not answer. */
export interface ClaimStore {
  /** Whoever holds a claim and is not heard of for so long is taken for dead, by all who share the store; default 10 s. */
  readonly leaseMs?: number;
  read(key: string): Promise<{ readonly entry: ClaimEntry; readonly revision: number } | undefined>;
  /** Resolves with the new revision; undefined when somebody has written since that revision (0: there was none). */
  write(key: string, entry: ClaimEntry, revision: number): Promise<number | undefined>;
}
