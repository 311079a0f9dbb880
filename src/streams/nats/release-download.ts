import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FetchedServer } from "./debian-package.ts";
import { messageOf } from "./nats-error.ts";
import { runCommand } from "./run-command.ts";
import { versionOfBinary } from "./server-version.ts";

/** An archive (.tar.gz) that holds the program nats-server, with its SHA-256 in hex. */
export interface PinnedArchive {
  readonly url: string;
  readonly sha256: string;
}

const MAX_ARCHIVE_BYTES = 64 << 20;

/** Downloads the archive, refuses it unless its SHA-256 is the pinned one, and copies its program into `dir`. */
export async function fetchPinnedArchive(
  pin: PinnedArchive,
  dir: string,
  signal?: AbortSignal,
): Promise<FetchedServer> {
  const archive = await download(pin.url, signal);
  const sha256 = createHash("sha256").update(archive).digest("hex");
  if (sha256 !== pin.sha256.toLowerCase()) {
    throw new Error(`${pin.url} has SHA-256 ${sha256}, pinned is ${pin.sha256}: not used`);
  }
  const work = await mkdtemp(join(tmpdir(), "tocsin-nats-"));
  try {
    await writeFile(join(work, "archive.tar.gz"), archive);
    await runCommand("tar", ["-xzf", "archive.tar.gz", "--wildcards", "--no-anchored", "nats-server"], {
      cwd: work,
      timeoutMs: 60_000,
    });
    const found = (await runCommand("find", [work, "-type", "f", "-name", "nats-server"], { timeoutMs: 10_000 }))
      .stdout;
    const unpacked = found.split("\n")[0] ?? "";
    const version = unpacked === "" ? undefined : await versionOfBinary(unpacked);
    if (version === undefined) throw new Error(`${pin.url} holds no nats-server that runs on this machine`);
    await mkdir(dir, { recursive: true });
    const binary = join(dir, `nats-server-${version}`);
    await copyFile(unpacked, binary);
    await chmod(binary, 0o755);
    return { binary, version, origin: `release ${pin.url}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Gives up when the site does not answer soon, because there is another way to get a server. */
async function download(url: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const patience = new AbortController();
  let timer = setTimeout(() => patience.abort(new Error("no answer within 10 s")), 10_000);
  try {
    const stop = signal === undefined ? patience.signal : AbortSignal.any([signal, patience.signal]);
    const response = await fetch(url, { signal: stop });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    if (Number(response.headers.get("content-length") ?? 0) > MAX_ARCHIVE_BYTES) throw new Error("it is too large");
    clearTimeout(timer);
    timer = setTimeout(() => patience.abort(new Error("not received within 2 minutes")), 120_000);
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
    throw new Error(`${url}: ${messageOf(error)}${cause}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
