/** A tree without positions and with sorted matchers: what printing and parsing again must not change. */
export function stripTree(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(stripTree);
  if (typeof node !== "object" || node === null) return node;
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === "pos" || value === undefined) continue;
    const stripped = stripTree(value);
    out[key] = key === "matchers" ? (stripped as unknown[]).map((m) => JSON.stringify(m)).sort() : stripped;
  }
  return out;
}
