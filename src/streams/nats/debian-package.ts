import { access, chmod, constants, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEBIAN_KEYRING, machineDebianMirror } from "./apt-mirror.ts";
import { messageOf } from "./nats-error.ts";
import { runCommand } from "./run-command.ts";
import { isWantedVersion, versionOfBinary } from "./server-version.ts";

/** Newest first; the machine's own suite comes after these. The server needs only a C library that all of them have. */
const NEWER_SUITES: readonly string[] = ["testing", "stable"];

export interface FetchedServer {
  /** Path of the unpacked program, inside `dir`. */
  readonly binary: string;
  readonly version: string;
  readonly origin: string;
}

/**
 * Fetches the package nats-server from the newest Debian suite that has one that runs here, and copies its program into
 * `dir`. Needs no root and changes nothing of the machine's apt: sources, lists and cache are private and temporary; apt
 * checks the archive's signature against Debian's own keyring. Rejects with the reason for each suite that was tried.
 */
export async function fetchFromDebian(dir: string, signal?: AbortSignal, etcApt = "/etc/apt"): Promise<FetchedServer> {
  const mirror = await machineDebianMirror(etcApt);
  if (mirror === undefined) throw new Error(`no Debian mirror is named in ${etcApt}`);
  await access(DEBIAN_KEYRING, constants.R_OK).catch(() => {
    throw new Error(`${DEBIAN_KEYRING} is missing (package debian-archive-keyring)`);
  });
  const reasons: string[] = [];
  let old: FetchedServer | undefined;
  for (const suite of [...NEWER_SUITES, ...(await machineSuite())]) {
    try {
      const server = await fetchFromSuite(mirror, suite, dir, signal);
      if (isWantedVersion(server.version)) return server;
      old ??= server;
    } catch (error) {
      signal?.throwIfAborted();
      reasons.push(`${suite}: ${messageOf(error)}`);
    }
  }
  if (old !== undefined) return old;
  throw new Error(reasons.join("; "));
}

async function machineSuite(): Promise<string[]> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const codename = /^ID="?debian"?$/m.test(text) ? /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(text)?.[1] : undefined;
  return codename === undefined ? [] : [codename];
}

async function fetchFromSuite(
  mirror: string,
  suite: string,
  dir: string,
  signal: AbortSignal | undefined,
): Promise<FetchedServer> {
  const work = await mkdtemp(join(tmpdir(), "tocsin-apt-"));
  try {
    // When apt runs as root it downloads as the user _apt, who must be able to come here.
    await chmod(work, 0o755);
    for (const d of ["lists/partial", "cache/archives/partial", "x"]) await mkdir(join(work, d), { recursive: true });
    await writeFile(join(work, "sources.list"), `deb [signed-by=${DEBIAN_KEYRING}] ${mirror} ${suite} main\n`);
    const apt = (...args: string[]) =>
      runCommand("apt-get", ["-q", ...privateApt(work), ...args], {
        cwd: work,
        timeoutMs: 180_000,
        ...(signal === undefined ? {} : { signal }),
      });
    await apt("update");
    await apt("download", "nats-server");
    const deb = (await readdir(work)).find((f) => f.endsWith(".deb"));
    if (deb === undefined) throw new Error("apt-get download left no package");
    await runCommand("dpkg-deb", ["-x", deb, "x"], { cwd: work, timeoutMs: 60_000 });
    const unpacked = join(work, "x/usr/sbin/nats-server");
    const version = await versionOfBinary(unpacked);
    if (version === undefined) throw new Error("the packaged nats-server does not run on this machine");
    await mkdir(dir, { recursive: true });
    const binary = join(dir, `nats-server-${version}`);
    await copyFile(unpacked, binary);
    await chmod(binary, 0o755);
    return { binary, version, origin: `Debian package, suite ${suite}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function privateApt(work: string): string[] {
  const settings = [
    `Dir::Etc::sourcelist=${work}/sources.list`,
    "Dir::Etc::sourceparts=/dev/null",
    `Dir::State::lists=${work}/lists`,
    `Dir::Cache=${work}/cache`,
    "Debug::NoLocking=1",
    "Acquire::Languages=none",
    "Acquire::Retries=2",
    "Acquire::AllowInsecureRepositories=false",
    "APT::Get::AllowUnauthenticated=false",
    "APT::Update::Error-Mode=any",
  ];
  return settings.flatMap((s) => ["-o", s]);
}
