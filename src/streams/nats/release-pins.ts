import type { PinnedArchive } from "./release-download.ts";

const VERSION = "2.15.0";

/** SHA-256 of the release archives, as the NATS project gives them in the Dockerfiles of its own images (2.15.x/alpine3.22). */
const SHA256: Readonly<Record<string, string>> = {
  amd64: "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92",
  arm64: "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112",
};

/** The official release that is fetched where no server is installed; undefined for machines it is not pinned for. */
export function releasePin(platform: string, arch: string): PinnedArchive | undefined {
  const name = arch === "x64" ? "amd64" : arch;
  const sha256 = SHA256[name];
  if (platform !== "linux" || sha256 === undefined) return undefined;
  const release = "https://github.com/nats-io/nats-server/releases/download";
  return { url: `${release}/v${VERSION}/nats-server-v${VERSION}-linux-${name}.tar.gz`, sha256 };
}
