/**
 * Positions in the partitions' streams: a write gives the ones of its samples to the sender as a token, and a query that
 * brings the token waits until the shards have them.
 *
 * The token is text without spaces: `<partition>:<sequence>` or `<partition>:<sequence>@<stream>`, several with commas.
 */
export interface StreamPosition {
  readonly partition: number;
  /** Of the last message that holds a sample of the write. */
  readonly sequence: number;
  /** Name of the stream's incarnation, 8 hex digits: a stream that was deleted and made anew counts from 1 again. */
  readonly stream: string | undefined;
}

/** More text than this is no token: some 30 bytes a partition. */
const MAX_TOKEN_BYTES = 64 << 10;

/** The token of positions; undefined for none. */
export function formatPositions(positions: readonly StreamPosition[]): string | undefined {
  if (positions.length === 0) return undefined;
  return positions
    .map(({ partition, sequence, stream }) => `${partition}:${sequence}${stream === undefined ? "" : `@${stream}`}`)
    .join(",");
}

/**
 * Reads a token; undefined when it is none. Tokens of several writes may be joined with commas: of a partition that stands
 * there twice the highest sequence counts, that of the last incarnation named.
 */
export function parsePositions(token: string): StreamPosition[] | undefined {
  if (token.length > MAX_TOKEN_BYTES) return undefined;
  const found = new Map<number, StreamPosition>();
  for (const part of token.split(",")) {
    const m = /^(\d{1,5}):(\d{1,15})(?:@([0-9a-f]{8}))?$/.exec(part.trim());
    if (m === null) return undefined;
    const position = { partition: Number(m[1]), sequence: Number(m[2]), stream: m[3] };
    const other = found.get(position.partition);
    const newer = other === undefined || other.stream !== position.stream || position.sequence > other.sequence;
    if (newer) found.set(position.partition, position);
  }
  return [...found.values()];
}
