/** A small seeded generator with the choices that a fuzzer makes; the same seed gives the same choices everywhere. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** An integer in [from, to]. */
  int(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Some of the given, in their order. */
  some<T>(from: readonly T[], probability: number): T[];
  /** One of the weighted choices. */
  weighted<T>(choices: readonly (readonly [number, T])[]): T;
}

export function makeRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const random: Random = {
    next,
    int: (from, to) => from + Math.floor(next() * (to - from + 1)),
    chance: (probability) => next() < probability,
    pick: (from) => from[Math.floor(next() * from.length)]!,
    some: (from, probability) => from.filter(() => next() < probability),
    weighted: (choices) => {
      let at = next() * choices.reduce((sum, [w]) => sum + w, 0);
      for (const [w, choice] of choices) {
        at -= w;
        if (at < 0) return choice;
      }
      return choices[choices.length - 1]![1];
    },
  };
  return random;
}
