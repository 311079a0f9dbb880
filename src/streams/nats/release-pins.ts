import type { PinnedArchive } from "./release-download.ts";

/** The official release that is fetched where none is installed. Archives and checksums as the NATS project published them. */
const PINS: Readonly<Record<string, PinnedArchive>> = {};

export function releasePin(platform: string, arch: string): PinnedArchive | undefined {
  return PINS[`${platform}-${arch}`];
}
