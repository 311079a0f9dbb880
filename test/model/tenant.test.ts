import { expect, test } from "vitest";
import { DEFAULT_TENANT } from "../../src/model/sample.ts";
import { isTenant, MAX_TENANT_LENGTH } from "../../src/model/tenant.ts";

test("tenant names", () => {
  for (const name of [DEFAULT_TENANT, "a", "Team_1.eu-west", "...", "x".repeat(MAX_TENANT_LENGTH)])
    expect(isTenant(name)).toBe(true);
  for (const name of ["", ".", "..", "a/b", "ä", "a b", "a\n", "x".repeat(MAX_TENANT_LENGTH + 1)])
    expect(isTenant(name)).toBe(false);
});
