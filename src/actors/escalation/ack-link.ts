import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { open, readFile } from "node:fs/promises";

/**
 * The link in a page with which its receiver acknowledges: it says who acknowledges which escalation and until when it
 * works, signed with HMAC-SHA256, so that whoever holds it may do that and nothing else.
 */
export interface AckLink {
  readonly id: string;
  readonly by: string;
  /** Unix seconds. */
  readonly expires: number;
}

/** The link's path and parameters, without a host. */
export function ackPath(secret: Uint8Array, link: AckLink): string {
  const query = new URLSearchParams({ by: link.by, expires: String(link.expires), signature: sign(secret, link) });
  return `/ack/${encodeURIComponent(link.id)}?${query}`;
}

/** Undefined when the signature is right and the link still works at `now` (Unix ms); else what is wrong with it. */
export function ackLinkProblem(secret: Uint8Array, link: AckLink, signature: string, now: number): string | undefined {
  const right = Buffer.from(sign(secret, link));
  const given = Buffer.from(signature);
  if (right.length !== given.length || !timingSafeEqual(right, given)) return "the link is not one of this server's";
  return link.expires * 1000 <= now ? "the link has expired" : undefined;
}

function sign(secret: Uint8Array, { id, by, expires }: AckLink): string {
  return createHmac("sha256", secret)
    .update(JSON.stringify(["acknowledge", id, by, expires]))
    .digest("base64url");
}

/**
 * The secret in a file; one is made, readable by its owner alone, where there is none. Rejects when the file cannot be
 * read or written, or is shorter than 16 bytes.
 */
export async function ackSecret(path: string): Promise<Uint8Array> {
  const there = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (there !== undefined && there.length >= 16) return there;
  // A crash may have left an empty one.
  if (there !== undefined && there.length > 0) throw new Error(`${path} is shorter than 16 bytes`);
  const secret = Buffer.from(randomBytes(32).toString("base64url"));
  const file = await open(path, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(secret);
    await file.sync();
  } finally {
    await file.close();
  }
  return secret;
}
