import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeUtf8Lossless,
  goQuote,
  goQuoteRune,
  goUnicodeRune,
  isValidUtf8,
  strayByte,
} from "../../src/lib/go-quote.ts";
import { unquoteString } from "../../src/query/parse/literal.ts";

describe("goQuote", () => {
  it.each([
    ["", '""'],
    ['a"b\\c', '"a\\"b\\\\c"'],
    ["\x07\b\f\n\r\t\v", '"\\a\\b\\f\\n\\r\\t\\v"'],
    ["\x00\x7f", '"\\x00\\x7f"'],
    ["é日😀", '"é日😀"'],
    ["\u00a0\u2028\ufeff", '"\\u00a0\\u2028\\ufeff"'],
    ["\u{10ffff}", '"\\U0010ffff"'],
    [`a${strayByte(0xc5)}z`, '"a\\xc5z"'],
  ])("%j", (text, quoted) => expect(goQuote(text)).toBe(quoted));

  it("quotes single characters", () => {
    expect(goQuoteRune(0x27)).toBe("'\\''");
    expect(goQuoteRune(0x22)).toBe("'\"'");
    expect(goQuoteRune(0x0a)).toBe("'\\n'");
    expect(goUnicodeRune(0x63)).toBe("U+0063 'c'");
    expect(goUnicodeRune(0x0a)).toBe("U+000A");
  });

  it("is undone by unquoting, bytes that are no UTF-8 included", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = decodeUtf8Lossless(bytes);
        expect(unquoteString(goQuote(text))).toBe(text);
      }),
    );
  });
});

describe("decodeUtf8Lossless", () => {
  it("keeps good text and marks stray bytes one by one", () => {
    expect(decodeUtf8Lossless(Uint8Array.of(0x61, 0xc3, 0xa9, 0xff, 0xe2, 0x82, 0x62))).toBe(
      `aé${strayByte(0xff)}${strayByte(0xe2)}${strayByte(0x82)}b`,
    );
    expect(isValidUtf8("é😀")).toBe(true);
    expect(isValidUtf8(strayByte(0x80))).toBe(false);
  });
});
