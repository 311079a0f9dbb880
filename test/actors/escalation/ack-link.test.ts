import { mkdtempSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ackLinkProblem, ackPath, ackSecret } from "../../../src/actors/escalation/ack-link.ts";

describe("the secret of the links", () => {
  it("is made once, for its owner's eyes, and is not guessed from a file that holds none", async () => {
    const dir = mkdtempSync(join(tmpdir(), "tocsin-ack-"));
    const path = join(dir, "secret");
    const first = await ackSecret(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(Buffer.from(await ackSecret(path))).toEqual(Buffer.from(first));
    expect(first.length).toBeGreaterThanOrEqual(32);
    writeFileSync(path, "short");
    await expect(ackSecret(path)).rejects.toThrow("shorter than 16 bytes");
    // What a crash may leave.
    writeFileSync(path, "");
    expect((await ackSecret(path)).length).toBeGreaterThanOrEqual(32);
  });
});

describe("a link", () => {
  const secret = Buffer.from("0123456789abcdef");
  const link = { id: "e1", by: "ann & bob", expires: 1000 };
  const signature = new URL(ackPath(secret, link), "http://x").searchParams.get("signature") ?? "";

  it("is good for what it says, until it expires, and for nothing else", () => {
    expect(ackLinkProblem(secret, link, signature, 999_999)).toBeUndefined();
    expect(ackLinkProblem(secret, link, signature, 1_000_000)).toBe("the link has expired");
    const forged = [
      { ...link, id: "e2" },
      { ...link, by: "ann" },
      { ...link, expires: 2000 },
      { ...link, expires: Number.NaN },
    ];
    for (const other of forged)
      expect(ackLinkProblem(secret, other, signature, 0)).toContain("not one of this server's");
    for (const wrong of ["", signature.slice(1), `${signature}x`]) {
      expect(ackLinkProblem(secret, link, wrong, 0)).toContain("not one of this server's");
    }
    expect(ackLinkProblem(Buffer.from("another secret!!"), link, signature, 0)).toContain("not one of");
  });
});
