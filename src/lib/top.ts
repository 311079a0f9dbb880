/** The largest counts so far, ascending; a text is only made for what enters. */
export interface Top {
  readonly limit: number;
  readonly entries: { readonly count: number; readonly name: string }[];
}

export function makeTop(limit: number): Top {
  return { limit, entries: [] };
}

/** `name` is only called for a count that enters. */
export function offer(top: Top, count: number, name: () => string): void {
  const { entries, limit } = top;
  if (entries.length >= limit && count <= (entries[0]?.count ?? Number.POSITIVE_INFINITY)) return;
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((entries[mid] as { count: number }).count < count) low = mid + 1;
    else high = mid;
  }
  entries.splice(low, 0, { count, name: name() });
  if (entries.length > limit) entries.shift();
}

/** The largest first; equal ones by name. */
export function ranking(top: Top): (readonly [name: string, count: number])[] {
  return top.entries
    .toSorted((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1))
    .map(({ name, count }) => [name, count] as const);
}
