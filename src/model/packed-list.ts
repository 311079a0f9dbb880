/**
 * Long lists of texts or label sets as bytes: they move to another thread without being copied or built anew, and whoever has
 * them unpacks them bit by bit.
 */
import type { Labels } from "./labels.ts";

export interface PackedList {
  /** Texts one after the other, UTF-8; text i has the bytes [textEnds[i-1], textEnds[i]). */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly textEnds: Uint32Array<ArrayBuffer>;
  /** A list of label sets: set i has the texts ids[setEnds[i-1]] to ids[setEnds[i]-1]. Undefined for a list of texts. */
  readonly sets?: { readonly ids: Uint32Array<ArrayBuffer>; readonly ends: Uint32Array<ArrayBuffer> };
}

/** From so many entries on it is worth it. */
export const PACK_FROM = 2048;

/** @param check called now and then; may throw to end the work */
export function packTexts(texts: readonly string[], check: () => void = () => {}): PackedList {
  const textEnds = new Uint32Array(texts.length);
  let bytes = Buffer.alloc(16 * texts.length + 1024);
  let at = 0;
  for (let i = 0; i < texts.length; i++) {
    if ((i & 0x3ff) === 0) check();
    const text = texts[i] as string;
    // A UTF-16 unit takes three bytes at most.
    if (at + 3 * text.length > bytes.length) {
      const wider = Buffer.alloc(2 * (at + 3 * text.length));
      wider.set(bytes.subarray(0, at));
      bytes = wider;
    }
    at += bytes.write(text, at);
    textEnds[i] = at;
  }
  return { bytes: new Uint8Array(bytes.subarray(0, at)), textEnds };
}

export function packSets(sets: readonly Labels[], check: () => void = () => {}): PackedList {
  const texts: string[] = [];
  const byText = new Map<string, number>();
  const ends = new Uint32Array(sets.length);
  const ids = new Uint32Array(sets.reduce((sum, set) => sum + set.length, 0));
  let at = 0;
  for (let i = 0; i < sets.length; i++) {
    if ((i & 0x3ff) === 0) check();
    for (const text of sets[i] as Labels) {
      let id = byText.get(text);
      if (id === undefined) {
        id = texts.length;
        texts.push(text);
        byText.set(text, id);
      }
      ids[at++] = id;
    }
    ends[i] = at;
  }
  return { ...packTexts(texts, check), sets: { ids, ends } };
}

export function packedBuffers({ bytes, textEnds, sets }: PackedList): ArrayBuffer[] {
  return [bytes.buffer, textEnds.buffer, ...(sets === undefined ? [] : [sets.ids.buffer, sets.ends.buffer])];
}
