import { createHash } from "node:crypto";

/** The group's key as providers are given it to tell notifications of one group from others': 64 hex digits. */
export function groupHash(groupKey: string): string {
  return createHash("sha256").update(groupKey).digest("hex");
}
