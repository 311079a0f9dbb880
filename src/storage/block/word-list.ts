/** A list of up to 2^32 words of 32 bits that grows without being copied. */
const SHIFT = 16;
const MASK = (1 << SHIFT) - 1;

export interface WordList {
  length: number;
  readonly pieces: Uint32Array[];
}

export function makeWordList(): WordList {
  return { length: 0, pieces: [] };
}

export function pushWord(list: WordList, word: number): void {
  const at = list.length++;
  let piece = list.pieces[at >>> SHIFT];
  if (piece === undefined) {
    piece = new Uint32Array(1 << SHIFT);
    list.pieces.push(piece);
  }
  piece[at & MASK] = word;
}

export function wordAt(list: WordList, i: number): number {
  return (list.pieces[i >>> SHIFT] as Uint32Array)[i & MASK] as number;
}
