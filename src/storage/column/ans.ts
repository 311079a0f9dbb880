/**
 * Tables of an asymmetric numeral system (tANS; J. Duda, arXiv:1311.2540). A state is a number of [2^log, 2^(log+1)); each symbol
 * owns as many states as its frequency. All tables of one column have the same log, so that one state passes from one table to
 * another, which is how contexts work.
 */
const MAX_SIZE = 2048;
const cells = new Uint16Array(MAX_SIZE);
const next = new Uint32Array(1024);

/** The symbol of each state: the symbols' shares, spread evenly. */
function spread(freq: Uint16Array, n: number, log: number): void {
  const size = 1 << log;
  const step = (size >> 1) + (size >> 3) + 3;
  const mask = size - 1;
  let at = 0;
  for (let s = 0; s < n; s++) {
    const f = freq[s] as number;
    for (let k = 0; k < f; k++) {
      cells[at] = s;
      at = (at + step) & mask;
    }
  }
}

/**
 * Fills table[from, from + 2^log): by state, heads[symbol] + bits * head + the next state without those bits; and the masks of the
 * bits. The frequencies sum up to 2^log, log is 5 to 11.
 */
export function buildDecoder(
  freq: Uint16Array,
  n: number,
  log: number,
  heads: Int32Array,
  head: number,
  table: Int32Array,
  masks: Int32Array,
  from: number,
): void {
  const size = 1 << log;
  spread(freq, n, log);
  for (let s = 0; s < n; s++) next[s] = freq[s] as number;
  const most = log - 31;
  for (let i = 0; i < size; i++) {
    const s = cells[i] as number;
    const x = next[s] as number;
    next[s] = x + 1;
    const bits = most + Math.clz32(x);
    masks[from + i] = (1 << bits) - 1;
    table[from + i] = ((heads[s] as number) + Math.imul(bits, head) + (x << bits) - size) | 0;
  }
}

/** What an encoder needs of one table. */
export interface AnsEncoder {
  /** By symbol: state + bits[s] >> 16 is how many bits it takes. */
  readonly bits: Int32Array;
  /** By symbol: where its states are in `states`, less its frequency. */
  readonly find: Int32Array;
  readonly states: Uint16Array;
}

export function makeEncoder(): AnsEncoder {
  return { bits: new Int32Array(1024), find: new Int32Array(1024), states: new Uint16Array(MAX_SIZE) };
}

export function buildEncoder(freq: Uint16Array, n: number, log: number, into: AnsEncoder): void {
  const size = 1 << log;
  spread(freq, n, log);
  let sum = 0;
  for (let s = 0; s < n; s++) {
    const f = freq[s] as number;
    next[s] = sum;
    if (f > 0) {
      const most = f === 1 ? log : log - (31 - Math.clz32(f - 1));
      into.bits[s] = (most << 16) - (f << most);
      into.find[s] = sum - f;
    }
    sum += f;
  }
  for (let i = 0; i < size; i++) {
    const s = cells[i] as number;
    const at = next[s] as number;
    next[s] = at + 1;
    into.states[at] = size + i;
  }
}
