import { describe, expect, it } from "vitest";
import { type NoDataPolicy, unseen } from "../../../src/actors/rule/absence.ts";
import { FIRING, makeAlertTable, obtainRow, STATE, setCell } from "../../../src/actors/rule/alert-table.ts";
import { dataQueries } from "../../../src/actors/rule/data-expression.ts";
import { ownLabels, probeAbsence } from "../../../src/actors/rule/data-probe.ts";
import { type Labels, labelsKey } from "../../../src/model/labels.ts";
import { QueryError } from "../../../src/model/query.ts";
import { scriptedEngine } from "./fixtures.ts";

const LABELS: Labels = ["alertname", "A", "host", "a", "severity", "page"];

async function probe(policy: NoDataPolicy, answers: Parameters<typeof scriptedEngine>[0]) {
  const engine = scriptedEngine(answers);
  const table = makeAlertTable(0, 0);
  const row = obtainRow(table, labelsKey(LABELS), LABELS);
  setCell(table, row, STATE, FIRING);
  const rule = { policy, queries: dataQueries("up{x!='y'} == 0"), ownLabels: ownLabels({ severity: "page" }) };
  const context = { engine, tenant: "default", signal: new AbortController().signal };
  const { absence } = await probeAbsence(context, rule, table, new Set(), 1_700_000_000_000);
  return absence(row);
}

const QUERY = dataQueries("up{x!='y'} == 0")?.seen as string;

describe("why a firing instance is not in a result", () => {
  it("its condition is false: the data is there, the rule's own labels aside", async () => {
    const there = { [QUERY]: [[{ host: "a", severity: "of the series" }, 0]] } as const;
    for (const policy of ["resolve", "keep", "unknown", "alert"] as const) {
      expect(await probe(policy, there)).toEqual({ verdict: "ended", reason: "" });
    }
  });

  it("its data is missing: each policy has its verdict, with the reason", async () => {
    const other = { [QUERY]: [[{ host: "b" }, 0]] } as const;
    expect(await probe("resolve", other)).toMatchObject({ verdict: "ended", reason: expect.stringMatching(/./) });
    expect(await probe("keep", other)).toMatchObject({ verdict: "unseen", quiet: true });
    expect(await probe("unknown", other)).toMatchObject({ verdict: "unseen", quiet: false });
    expect(await probe("alert", other)).toMatchObject({ verdict: "active" });
  });

  it("nobody can tell, since the question fails: only a rule that resolves without data takes it for the end", async () => {
    const failing = { [QUERY]: new QueryError("timeout", "late") };
    expect(await probe("unknown", failing)).toEqual(unseen("query_failed"));
    expect(await probe("alert", failing)).toEqual(unseen("query_failed"));
    expect(await probe("resolve", failing)).toEqual({ verdict: "ended", reason: "" });
  });
});
