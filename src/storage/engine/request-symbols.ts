/** Numbers for the texts that one request over several sources speaks of. */

/** Symbols of the request: texts that somebody asked for, and how each part numbers them. */
export interface RequestSymbols {
  readonly texts: string[];
  readonly numbers: Map<string, number>;
  readonly parts: Map<number, { readonly names: Map<number, number>; readonly values: Map<number, number> }>;
}

export function makeSymbols(): RequestSymbols {
  return { texts: [], numbers: new Map(), parts: new Map() };
}

export function internText(symbols: RequestSymbols, text: string): number {
  let number = symbols.numbers.get(text);
  if (number === undefined) {
    number = symbols.texts.push(text) - 1;
    symbols.numbers.set(text, number);
  }
  return number;
}

export function partSymbols(symbols: RequestSymbols, part: number) {
  let own = symbols.parts.get(part);
  if (own === undefined) {
    own = { names: new Map(), values: new Map() };
    symbols.parts.set(part, own);
  }
  return own;
}
