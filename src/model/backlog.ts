/** How a shard that has fallen behind says so in the warnings of its answers, and how it is told from one whose data is lost. */

const READS = "still reads what was sent between";

/** @param between the times, in words */
export function stillReading(partition: number, between: string): string {
  return `shard ${partition} ${READS} ${between}: samples of that time may be missing`;
}

/** Whether the warning says that what is missing is on its way. */
export function isStillReading(warning: string): boolean {
  return warning.startsWith("shard ") && warning.includes(` ${READS} `);
}
