/**
 * Names of blocks: 26 characters of Crockford's base 32, as ULIDs are. The first ten are the time of making in Unix ms, the
 * other sixteen random bits, so names sort by time and never meet.
 */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Folders of blocks that are being written begin with this; what is left of them after a crash is of no use. */
export const TEMPORARY = "tmp-";

/** `random` gives numbers in [0, 1). */
export function makeBlockId(nowMs: number, random: () => number): string {
  let time = "";
  for (let i = 0, rest = Math.floor(nowMs); i < 10; i++, rest = Math.floor(rest / 32)) time = DIGITS[rest % 32] + time;
  let id = time;
  for (let i = 0; i < 16; i++) id += DIGITS[Math.floor(random() * 32)];
  return id;
}

export function isBlockId(name: string): boolean {
  return ID.test(name);
}

/** When the block was made, Unix ms. */
export function blockIdTime(id: string): number {
  let ms = 0;
  for (let i = 0; i < 10; i++) ms = ms * 32 + DIGITS.indexOf(id[i] as string);
  return ms;
}
