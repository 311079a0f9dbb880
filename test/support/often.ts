/**
 * How often something seeded or generated is tried: `few` times in `npm test`, `many` times in `npm run test:soak`, which sets
 * TOCSIN_SOAK. What is looked at each time is the same.
 */
export function often(few: number, many: number): number {
  return process.env.TOCSIN_SOAK === undefined ? few : many;
}
