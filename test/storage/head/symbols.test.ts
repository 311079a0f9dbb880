import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findSymbol, internSymbol, makeSymbols, symbolText } from "../../../src/storage/head/symbols.ts";

test("one symbol a string, and the string back", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("", "a", "ä", "𝄞", "x".repeat(5000)),
  );
  void fc.assert(
    fc.property(fc.array(text, { maxLength: 300 }), (texts) => {
      const symbols = makeSymbols();
      const byText = new Map<string, number>();
      for (const t of texts) {
        expect(findSymbol(symbols, t)).toBe(byText.get(t) ?? -1);
        const symbol = internSymbol(symbols, t);
        expect(symbol).toBe(byText.get(t) ?? byText.size);
        byText.set(t, symbol);
      }
      for (const [t, symbol] of byText) {
        expect(symbolText(symbols, symbol)).toBe(t);
        expect(findSymbol(symbols, t)).toBe(symbol);
      }
    }),
  );
});

test("many symbols, more than the cache of strings holds", () => {
  const symbols = makeSymbols();
  const count = 300_000;
  for (let i = 0; i < count; i++) internSymbol(symbols, `pod-${i}`);
  for (let i = 0; i < count; i++) if (symbolText(symbols, i) !== `pod-${i}`) throw new Error(`symbol ${i}`);
  expect(findSymbol(symbols, "pod-299999")).toBe(299_999);
  expect(symbols.cached).toBeLessThanOrEqual(1 << 18);
}, 20_000);
