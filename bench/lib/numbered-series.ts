/** Series by their number, for the benchmarks of the head: hashes that look random, and seven labels, one of them its own. */

/** The low half of series n's hash; also a number that looks random. */
export function hashLo(n: number): number {
  let h = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function hashHi(n: number): number {
  return hashLo(n ^ 0x5bd1e995);
}

/** Neighbours have little in common. */
export function labelsOf(n: number): string[] {
  return [
    ...["__name__", `metric_${n % 50}`, "cluster", `c${n % 4}`, "instance", `10.0.${(n >> 8) & 15}.${n & 255}:9100`],
    ...[
      "job",
      `job${n % 20}`,
      "path",
      `/api/v1/${n % 211}`,
      "pod",
      `pod-${n}-${n % 977}`,
      "status",
      `${200 + (n % 7)}`,
    ],
  ];
}
