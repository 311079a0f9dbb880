/** The excluded start of the bucket (start, start + width] that a time lies in, all in ms. */
export function bucketStart(t: number, widthMs: number): number {
  return (Math.ceil(t / widthMs) - 1) * widthMs;
}
