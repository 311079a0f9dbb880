import { describe, expect, test } from "vitest";
import {
  familyMetadata,
  MAX_ALL_FAMILIES,
  MAX_FAMILIES,
  makeMetadataTable,
  setMetadata,
  tenantMetadata,
} from "../../../src/actors/shard/metric-metadata.ts";

const say = (tenant: string, family: string, help = "") => ({ tenant, family, type: "gauge", help, unit: "" }) as const;

describe("metadata of metric families", () => {
  test("the last word counts, and a tenant's own", () => {
    const table = makeMetadataTable();
    setMetadata(table, say("a", "up", "first"));
    setMetadata(table, say("b", "up", "other"));
    setMetadata(table, { ...say("a", "up", "second"), type: "counter" });
    expect(familyMetadata(table, "a", "up")).toEqual({ type: "counter", help: "second", unit: "" });
    expect([...tenantMetadata(table, "b")]).toEqual([["up", { type: "gauge", help: "other", unit: "" }]]);
    expect([table.families, tenantMetadata(table, "c").size]).toEqual([2, 0]);
  });

  test("is bounded: what was said longest ago goes, of the tenant with the most", () => {
    const table = makeMetadataTable();
    for (let n = 0; n <= MAX_FAMILIES; n++) setMetadata(table, say("a", `f${n}`));
    expect([table.families, table.dropped]).toEqual([MAX_FAMILIES, 1]);
    expect(familyMetadata(table, "a", "f0")).toBeUndefined();
    expect(familyMetadata(table, "a", `f${MAX_FAMILIES}`)).toBeDefined();
    for (let t = 0; table.families < MAX_ALL_FAMILIES; t++) {
      for (let n = 0; n < MAX_FAMILIES - 1 && table.families < MAX_ALL_FAMILIES; n++)
        setMetadata(table, say(`t${t}`, `f${n}`));
    }
    setMetadata(table, say("small", "only"));
    expect(table.families).toBe(MAX_ALL_FAMILIES);
    expect(familyMetadata(table, "small", "only")).toBeDefined();
    expect(tenantMetadata(table, "a").size).toBe(MAX_FAMILIES - 1);
  });
});
