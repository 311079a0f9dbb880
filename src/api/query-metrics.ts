import { Counter, Gauge, type Registry } from "prom-client";

/** What is counted of queries as a whole, read when the metrics are asked for. */
export interface QueryCounts {
  readonly queue: () => { readonly running: number; readonly waiting: number };
  /** How often each partition was left out of an answer. */
  readonly missed: () => ReadonlyMap<number, number>;
}

export function registerQueryMetrics(registry: Registry, { queue, missed }: QueryCounts): void {
  const registers = [registry];
  new Gauge({
    name: "tocsin_queries_running",
    help: "Queries that are being evaluated, without those of rules.",
    registers,
    collect() {
      this.set(queue().running);
    },
  });
  new Gauge({
    name: "tocsin_queries_waiting",
    help: "Queries that wait for their turn.",
    registers,
    collect() {
      this.set(queue().waiting);
    },
  });
  new Counter({
    name: "tocsin_query_shard_missed_total",
    help: "Times that a partition was left out of an answer because it was late, down or broken; the answer was partial.",
    labelNames: ["partition"],
    registers,
    collect() {
      this.reset();
      for (const [partition, times] of missed()) this.inc({ partition: String(partition) }, times);
    },
  });
}
