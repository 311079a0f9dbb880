/**
 * The slots of a hash table whose entries are integers from 0 upwards; the keys are elsewhere, so whoever searches compares.
 *
 * 256 tables by the hash's high byte, each growing by itself: rehashing never takes longer than one of them, a 256th of all.
 * A slot is the number + 1 (low 27 bits, 0: empty) and five bits of the hash that spare most comparisons in vain. Searching is
 * the caller's loop (see `findSymbol`'s): begin at `slotStart`, go on with the next slot, end at an empty one.
 */
export interface SlotTable {
  readonly parts: Uint32Array[];
  readonly counts: Uint32Array;
}

export const PART_SHIFT = 24;
export const NUMBER_MASK = 0x7ff_ffff;
export const TAG_SHIFT = 27;
export const TAG_MASK = 31;
/** Where searching begins: these bits of the hash, as many as the part has slots. */
export const START_SHIFT = 5;

const PARTS = 256;
const EMPTY = new Uint32Array(1);
const FIRST_SLOTS = 8;

/** An empty table; with room for `expected` entries, so that it need not grow while they are added. */
export function makeSlotTable(expected = 0): SlotTable {
  const parts = new Array<Uint32Array>(PARTS).fill(EMPTY);
  // Some parts get more than their share.
  const most = (expected / PARTS) * 1.1 + 16;
  if (expected > PARTS * 8) {
    let slots = FIRST_SLOTS;
    while (most * 4 > slots * 3) slots *= 2;
    for (let i = 0; i < PARTS; i++) parts[i] = new Uint32Array(slots);
  }
  return { parts, counts: new Uint32Array(PARTS) };
}

/** Adds a number that is not there. `hashOf` gives the (unsigned or signed 32-bit) hash of every number in the table. */
export function addSlot(table: SlotTable, hash: number, number: number, hashOf: (number: number) => number): void {
  if (number >= NUMBER_MASK) throw new RangeError("hash table is full (134 million entries)");
  const part = hash >>> PART_SHIFT;
  const count = (table.counts[part] as number) + 1;
  table.counts[part] = count;
  let slots = table.parts[part] as Uint32Array;
  // At most three quarters full.
  if (count * 4 > slots.length * 3) {
    slots = larger(slots, hashOf);
    table.parts[part] = slots;
  }
  put(slots, hash, number + 1);
}

function larger(old: Uint32Array, hashOf: (number: number) => number): Uint32Array {
  // Every key has to be hashed again, so while parts are small they grow by more.
  const slots = new Uint32Array(old.length < FIRST_SLOTS ? FIRST_SLOTS : old.length * (old.length < 8192 ? 4 : 2));
  for (let i = 0; i < old.length; i++) {
    const entry = (old[i] as number) & NUMBER_MASK;
    if (entry !== 0) put(slots, hashOf(entry - 1), entry);
  }
  return slots;
}

function put(slots: Uint32Array, hash: number, entry: number): void {
  const mask = slots.length - 1;
  let slot = (hash >>> START_SHIFT) & mask;
  while (slots[slot] !== 0) slot = (slot + 1) & mask;
  slots[slot] = (entry | ((hash & TAG_MASK) << TAG_SHIFT)) >>> 0;
}

export function slotTableBytes(table: SlotTable): number {
  let bytes = 0;
  for (const part of table.parts) bytes += part.byteLength;
  return bytes;
}
