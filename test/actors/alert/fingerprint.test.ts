import fc from "fast-check";
import { expect, it } from "vitest";
import { fingerprint } from "../../../src/actors/alert/fingerprint.ts";

/** FNV-1a as its authors write it. */
function slowly(labels: readonly string[]): string {
  let hash = 0xcbf29ce484222325n;
  const bytes = labels.flatMap((text) => [...new TextEncoder().encode(text), 0xff]);
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}

it("is FNV-1a over the labels in UTF-8, whatever they are made of", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string(),
    fc.constantFrom("", "é", "a日b", "\ud800", "x\ud83d\ude00"),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 12 }), (labels) => {
      expect(fingerprint(labels)).toBe(slowly(labels));
    }),
    { numRuns: 2000 },
  );
  // As Alertmanager names it.
  expect(fingerprint([])).toBe("cbf29ce484222325");
});
