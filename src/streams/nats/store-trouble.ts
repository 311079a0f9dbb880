import { open, rm } from "node:fs/promises";
import { join } from "node:path";

/**
 * Whether a line of nats-server's log says that it can no longer store: a stream whose file could not be written takes
 * nothing more, and answers nobody, until the server is started anew, also when there is space again.
 * @returns the server's words, undefined for any other line
 */
export function storeTrouble(line: string): string | undefined {
  const m =
    /critical write error: (.*)$|(no space left on device|disk quota exceeded|JetStream .*will be DISABLED)/i.exec(
      line,
    );
  return m?.[1] ?? m?.[2];
}

/** Less would be full again at once. */
const PROBE_BYTES = 4 << 20;

/** Tries whether a folder's disk takes data: writes some, syncs and removes it. Unlike a look at the free space it sees quotas. */
export async function canStore(dir: string): Promise<boolean> {
  const path = join(dir, ".space-probe");
  try {
    const file = await open(path, "w");
    try {
      await file.write(Buffer.alloc(PROBE_BYTES, 1));
      await file.sync();
      return (await file.stat()).size === PROBE_BYTES;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  } finally {
    await rm(path, { force: true }).catch(() => {});
  }
}
