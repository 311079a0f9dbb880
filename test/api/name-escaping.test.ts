import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ESCAPINGS, escapeName, isLegacyName, unescapeName } from "../../src/api/name-escaping.ts";

describe("escapeName", () => {
  // The examples are those of Prometheus's description of the schemes.
  it.each([
    ["no:escaping_required", "no:escaping_required", "no:escaping_required", "no:escaping_required"],
    [
      "mysystem.prod.west.cpu.load",
      "mysystem_prod_west_cpu_load",
      "mysystem_dot_prod_dot_west_dot_cpu_dot_load",
      "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load",
    ],
    [
      "mysystem.prod.west.cpu.load_total",
      "mysystem_prod_west_cpu_load_total",
      "mysystem_dot_prod_dot_west_dot_cpu_dot_load__total",
      "U__mysystem_2e_prod_2e_west_2e_cpu_2e_load__total",
    ],
    ["http.status:sum", "http_status:sum", "http_dot_status:sum", "U__http_2e_status:sum"],
    ["label with 😱", "label_with__", "label__with____", "U__label_20_with_20__1f631_"],
    ["0bad", "_bad", "__bad", "U___30_bad"],
  ])("%s", (name, underscores, dots, values) => {
    expect(ESCAPINGS.map((scheme) => escapeName(name, scheme))).toEqual([name, underscores, dots, values]);
  });

  it("gives names that every reader takes, and those by value can be told again", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
        for (const scheme of ["underscores", "dots", "values"] as const) {
          expect(isLegacyName(escapeName(name, scheme))).toBe(true);
        }
        if (!isLegacyName(name)) expect(unescapeName(escapeName(name, "values"))).toBe(name.toWellFormed());
      }),
    );
  });
});
