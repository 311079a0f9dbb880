import fc from "fast-check";
import { expect, it } from "vitest";
import { findJsonError } from "../../src/lib/json-error.ts";

it.each([
  ["", 0, "end of the text"],
  ["  ", 2, "end of the text"],
  ['{"a":1,}', 7, "}"],
  ["[1,]", 3, "]"],
  ["[1 2]", 3, "2"],
  ['{"a" 1}', 5, "1"],
  ["{a:1}", 1, '"a"'],
  ["[1}", 2, "}"],
  ["01", 1, "1"],
  ["[1.]", 2, '"."'],
  ["nul", 0, '"n"'],
  ["1 1", 2, "1"],
  ['["a\nb"]', 1, "string that is not closed, or has a control character or a wrong escape in it"],
  ['["\\x"]', 1, "string that is not closed, or has a control character or a wrong escape in it"],
  ['{"a":{"b":[[],{}', 16, "end of the text"],
])("%j stops being JSON at %d", (text, offset, found) => {
  expect(() => JSON.parse(text)).toThrow();
  expect(findJsonError(text)).toEqual({ offset, found });
});

it("reads every JSON text to its end, and no cut one", () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: "binary" }), fc.nat(), (text, cut) => {
      expect(findJsonError(text)).toEqual({ offset: text.length, found: "end of the text" });
      const part = text.slice(0, cut % (text.length + 1));
      expect(findJsonError(part).offset).toBeLessThanOrEqual(part.length);
    }),
  );
});

it("agrees with JSON.parse on what is wrong with a text of which one character was changed", () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.constantFrom(...'{}[],:"\\ 0a-.'), (text, at, c) => {
      const i = at % text.length;
      const changed = text.slice(0, i) + c + text.slice(i + 1);
      let valid = true;
      try {
        JSON.parse(changed);
      } catch {
        valid = false;
      }
      const { offset, found } = findJsonError(changed);
      if (valid) expect({ offset, found }).toEqual({ offset: changed.length, found: "end of the text" });
      // A wrong text is found to be wrong in it, or to lack an end.
      else expect(found !== "end of the text" || offset === changed.length).toBe(true);
    }),
  );
});
