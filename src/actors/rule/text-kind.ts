/**
 * How texts change: `fixed` without templates; `steady` when they depend on nothing but the alert's value and labels that it
 * carries; else `any`.
 */
export type TextKind = "fixed" | "steady" | "any";

export function textKind(texts: Readonly<Record<string, string>>): TextKind {
  let kind: TextKind = "fixed";
  for (const text of Object.values(texts)) {
    if (!text.includes("{{")) continue;
    const rest = text.replaceAll(/\$labels\.(?!__name__)\w+|\.Labels\.(?!__name__)\w+/g, "");
    if (/labels|query|now|__name__/i.test(rest)) return "any";
    kind = "steady";
  }
  return kind;
}
