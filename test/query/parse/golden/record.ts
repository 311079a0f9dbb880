/**
 * Records what a real Prometheus answers to the queries of the golden files, as the tests compare with it.
 *
 *   node test/query/parse/golden/record.ts http://127.0.0.1:9090 < queries.jsonl > prometheus-3.5.jsonl
 *
 * Reads a JSON string a line, writes {"query", "text"} or {"query", "error"} a line.
 */
import { text } from "node:stream/consumers";

const url = process.argv[2] ?? "http://127.0.0.1:9090";
for (const line of (await text(process.stdin)).split("\n").filter((l) => l !== "")) {
  const query = JSON.parse(line) as string;
  const response = await fetch(`${url}/api/v1/format_query`, { method: "POST", body: new URLSearchParams({ query }) });
  const body = (await response.json()) as { status: string; data?: string; error?: string };
  const error = body.error?.replace('invalid parameter "query": ', "");
  console.log(JSON.stringify(body.status === "success" ? { query, text: body.data } : { query, error }));
}
