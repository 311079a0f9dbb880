import type { StatsFs } from "node:fs";
import { statfs } from "node:fs/promises";
import { type Collect, type Emit, type HostRoots, lines, tryReadText, words } from "./roots.ts";

const IGNORED_MOUNTS =
  /^\/(dev|proc|run\/credentials\/.+|sys|var\/lib\/docker\/.+|var\/lib\/containers\/storage\/.+)($|\/)/;
const IGNORED_TYPES =
  /^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$/;

/** File systems whose answer comes from elsewhere, or from a process: these hang when that does. */
const REMOTE_TYPES =
  /^(nfs4?|cifs|smb3?|ceph|glusterfs|fuse(\..*)?|fuseblk|9p|virtiofs|afs|lustre|beegfs|davfs|ncpfs)$/;

interface Mount {
  readonly device: string;
  readonly mountpoint: string;
  readonly fstype: string;
  readonly readonly: boolean;
}

export interface FilesystemOptions {
  /** A file system that has not answered after this time (a dead network mount) is reported as an error. */
  readonly timeoutMs: number;
  /** For tests. */
  readonly statfs?: (path: string) => Promise<StatsFs>;
}

/**
 * Sizes of the mounted file systems.
 *
 * Invariants: a mount whose statfs hangs is not asked again until that call returns, since each hanging call holds a
 * thread of the pool (which has four); and while `MAX_HANGING_REMOTE` of them hang, no further remote one is asked.
 */
export function makeFilesystemCollector(options: FilesystemOptions): Collect {
  const hanging = new Set<string>();
  const ask = options.statfs ?? statfs;
  return async (emit, host) => {
    const seen = new Set<string>();
    for (const mount of readMounts(host)) {
      const key = `${mount.device}\0${mount.mountpoint}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const stats = await askMount(ask, mount, host, hanging, options.timeoutMs);
      emitMount(emit, mount, stats);
    }
  };
}

const MAX_HANGING_REMOTE = 2;
const MAX_HANGING = 3;

async function askMount(
  ask: (path: string) => Promise<StatsFs>,
  mount: Mount,
  host: HostRoots,
  hanging: Set<string>,
  timeoutMs: number,
): Promise<StatsFs | undefined> {
  const path = mount.mountpoint;
  const most = REMOTE_TYPES.test(mount.fstype) ? MAX_HANGING_REMOTE : MAX_HANGING;
  if (hanging.has(path) || hanging.size >= most) return undefined;
  hanging.add(path);
  const answer = ask(host.root === "/" ? path : `${host.root}${path}`).then(
    (stats) => stats,
    () => undefined,
  );
  const forget = answer.then(() => void hanging.delete(path));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, undefined);
  });
  const stats = await Promise.race([answer, late]);
  clearTimeout(timer);
  if (stats !== undefined) await forget;
  return stats;
}

function emitMount(emit: Emit, mount: Mount, stats: StatsFs | undefined): void {
  const labels = ["device", mount.device, "mountpoint", mount.mountpoint, "fstype", mount.fstype] as const;
  emit("node_filesystem_device_error", stats === undefined ? 1 : 0, ...labels);
  emit("node_filesystem_readonly", mount.readonly ? 1 : 0, ...labels);
  if (stats === undefined) return;
  emit("node_filesystem_size_bytes", stats.blocks * stats.bsize, ...labels);
  emit("node_filesystem_free_bytes", stats.bfree * stats.bsize, ...labels);
  emit("node_filesystem_avail_bytes", stats.bavail * stats.bsize, ...labels);
  emit("node_filesystem_files", stats.files, ...labels);
  emit("node_filesystem_files_free", stats.ffree, ...labels);
}

function readMounts(host: HostRoots): Mount[] {
  // The mounts of the host, not of this process, where we may see them.
  const text = tryReadText(`${host.proc}/1/mounts`) ?? tryReadText(`${host.proc}/mounts`);
  if (text === undefined) throw new Error(`${host.proc}/mounts cannot be read`);
  const mounts: Mount[] = [];
  for (const line of lines(text)) {
    const [device, mountpoint, fstype, options] = words(line) as [string, string, string, string];
    if (IGNORED_TYPES.test(fstype)) continue;
    const place = unescapeMount(mountpoint);
    if (IGNORED_MOUNTS.test(place)) continue;
    mounts.push({
      device: unescapeMount(device),
      mountpoint: place,
      fstype,
      readonly: options.split(",").includes("ro"),
    });
  }
  return mounts;
}

/** The kernel writes blanks and backslashes of a path as octal codes. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
