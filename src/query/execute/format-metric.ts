import { goQuote } from "../../lib/go-quote.ts";
import type { Labels } from "../../model/labels.ts";

const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** `{__name__="up", job="a"}`, as Prometheus's labels.String prints a label set in error messages. */
export function formatMetric(labels: Labels): string {
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as string;
    pairs.push(`${PLAIN_NAME.test(name) ? name : goQuote(name)}=${goQuote(labels[i + 1] as string)}`);
  }
  return `{${pairs.join(", ")}}`;
}
