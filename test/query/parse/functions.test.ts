import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FUNCTIONS, type FunctionSignature } from "../../../src/query/parse/functions.ts";

function describeSignature(f: FunctionSignature): string {
  const args = f.args.map((type, i) => {
    if (f.variadic === 0 || i < f.args.length - 1) return type;
    return f.variadic < 0 ? `${type}...` : `${type}{0,${f.variadic}}`;
  });
  return `${f.name}(${args.join(", ")}): ${f.returns}${f.experimental ? " *" : ""}`;
}

describe("the function table", () => {
  it("is what docs/promql.md lists", () => {
    const page = readFileSync(new URL("../../../docs/promql.md", import.meta.url), "utf8");
    const listed = /<!-- functions:.*?-->\n\n```text\n(.*?)\n```\n\n<!-- \/functions -->/s.exec(page)?.[1];
    const signatures = [...FUNCTIONS.values()].map(describeSignature).sort();
    expect(listed).toBe(signatures.join("\n"));
  });

  it("has the signatures of some that people stumble over", () => {
    const text = (name: string) => describeSignature(FUNCTIONS.get(name) as FunctionSignature);
    expect(text("round")).toBe("round(vector, scalar{0,1}): vector");
    expect(text("hour")).toBe("hour(vector{0,1}): vector");
    expect(text("label_join")).toBe("label_join(vector, string, string, string...): vector");
    expect(text("histogram_quantiles")).toBe("histogram_quantiles(vector, string, scalar, scalar{0,9}): vector *");
    expect(text("time")).toBe("time(): scalar");
    expect(FUNCTIONS.size).toBe(90);
  });
});
