/**
 * Names of streams and subjects, here and nowhere else.
 *
 * | stream          | subjects                  | holds                                                    |
 * | --------------- | ------------------------- | -------------------------------------------------------- |
 * | SAMPLES_<p>     | tocsin.samples.<p>        | frames of one partition, until its shard has them on disk |
 * | INGEST          | tocsin.ingest.<tenant>    | what agents publish, until it is in the partitions        |
 * | ALERTS          | tocsin.alerts.>           | transitions of alert instances, and how rules went        |
 * | NOTIFICATIONS   | tocsin.notifications.>    | intents and results of notifications, and what held them back |
 *
 * Without a stream (core NATS): tocsin.labels.<p>, a shard's requests for the labels of unknown hashes.
 */
export const samplesStream = (partition: number) => `SAMPLES_${partition}`;
export const samplesSubject = (partition: number) => `tocsin.samples.${partition}`;

export const ALL_SAMPLES_SUBJECTS = "tocsin.samples.*";

export const labelsSubject = (partition: number) => `tocsin.labels.${partition}`;
/** Matches the requests of all shards; the partition is the last token. */
export const ALL_LABELS_SUBJECTS = "tocsin.labels.*";

export const INGEST_STREAM = "INGEST";
/** Tenants may have dots. */
export const ALL_INGEST_SUBJECTS = "tocsin.ingest.>";
export const ingestSubject = (tenant: string) => `tocsin.ingest.${tenant}`;

export const ALERTS_STREAM = "ALERTS";
export const ALERTS_SUBJECTS = "tocsin.alerts.>";
export const NOTIFICATIONS_STREAM = "NOTIFICATIONS";
export const NOTIFICATIONS_SUBJECTS = "tocsin.notifications.>";

/** On a server that several Tocsins share: who tells whom (claim-store.ts). */
export const CLAIMS_STREAM = "TOCSIN_CLAIMS";
export const CLAIMS_SUBJECTS = "tocsin.claims.*";
export const claimSubject = (name: string) => `tocsin.claims.${name}`;
