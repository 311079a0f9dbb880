import { type Disk, DiskError, type DiskFile } from "../../src/lib/disk.ts";

/**
 * A disk in memory that fails as real ones do.
 *
 * Fault model of `crash`: of a file, what was there at its last sync survives; of each later write any of the 512-byte
 * sectors may survive, in any combination, and the file may have any length from the synced one to the written one, with
 * zeros where nothing survived. Of names made, renamed or removed since the last sync of their folder, each may or may not be
 * there; a folder that was made is there at once. Truncation is atomic.
 *
 * A failed sync loses what was not synced, as Linux does it: the file still reads as if it were there, also when it is opened
 * again, and a sync after it succeeds and does not bring it back. Only what is written anew is on disk by a sync.
 */
export interface SimDisk extends Disk {
  /** Fails the next operation of this kind with this errno; repeated calls queue up. */
  failNext(op: "read" | "write" | "sync" | "open" | "syncdir", code: string): void;
  /** How many of the bytes of the next failing write are written nevertheless. */
  partial: number;
  /** The disk after a power cut. The old one is of no use afterwards. */
  crash(random: () => number): SimDisk;
  /** Everything as it is now, synced: for tests that damage files by hand. */
  snapshot(): SimDisk;
  /** Content of a file. The array is the file: changes are seen by later opens. */
  file(path: string): Uint8Array;
  replace(path: string, content: Uint8Array): void;
  readonly counts: { write: number; sync: number; syncdir: number };
  /** Called before each operation; a test may hold it up. */
  before: (op: string) => Promise<void>;
}

interface Folder {
  names: Map<string, Node | Folder>;
  durable: Map<string, Node | Folder>;
}

const isFolder = (n: Node | Folder): n is Folder => "names" in n;

interface Node {
  content: Uint8Array;
  durable: Uint8Array;
  writes: { at: number; bytes: Uint8Array }[];
}

const SECTOR = 512;

export function makeSimDisk(files: ReadonlyMap<string, Uint8Array> = new Map()): SimDisk {
  const root: Folder = { names: new Map(), durable: new Map() };
  const failures: { op: string; code: string }[] = [];

  const split = (path: string): { parts: string[]; name: string } => {
    const parts = path.split("/").filter((p) => p !== "");
    const name = parts.pop() as string;
    return { parts, name };
  };
  const makeFolders = (parts: readonly string[]): Folder => {
    let at = root;
    for (const part of parts) {
      let next = at.names.get(part);
      if (next === undefined) {
        next = { names: new Map(), durable: new Map() };
        at.names.set(part, next);
        at.durable.set(part, next);
      }
      if (!isFolder(next)) throw new DiskError("mkdir", parts.join("/"), "ENOTDIR", "not a folder");
      at = next;
    }
    return at;
  };
  const folderOf = (op: string, parts: readonly string[], path: string): Folder => {
    let at: Node | Folder | undefined = root;
    for (const part of parts) at = at !== undefined && isFolder(at) ? at.names.get(part) : undefined;
    if (at === undefined || !isFolder(at)) throw new DiskError(op, path, "ENOENT", "no such folder");
    return at;
  };
  const place = (path: string, content: Uint8Array): void => {
    const { parts, name } = split(path);
    const folder = makeFolders(parts);
    const n: Node = { content: content.slice(), durable: content.slice(), writes: [] };
    folder.names.set(name, n);
    folder.durable.set(name, n);
  };
  for (const [path, content] of files) place(path, content);

  const operation = async (
    op: "read" | "write" | "sync" | "open" | "syncdir" | "other",
    path: string,
  ): Promise<void> => {
    await disk.before(op);
    if (op === "write" || op === "sync" || op === "syncdir") disk.counts[op]++;
    const i = failures.findIndex((f) => f.op === op);
    if (i < 0) return;
    const [failure] = failures.splice(i, 1);
    const code = failure?.code ?? "EIO";
    throw new DiskError(op, path, code, `${code}: simulated`);
  };
  const find = (op: string, path: string): { folder: Folder; name: string; found: Node | Folder } => {
    const { parts, name } = split(path);
    const folder = folderOf(op, parts, path);
    const found = folder.names.get(name);
    if (found === undefined) throw new DiskError(op, path, "ENOENT", "no such file");
    return { folder, name, found };
  };
  const node = (op: string, path: string): Node => {
    const { found } = find(op, path);
    if (isFolder(found)) throw new DiskError(op, path, "EISDIR", "is a folder");
    return found;
  };

  const open = (path: string, n: Node): DiskFile => ({
    read: async (into, at) => {
      await operation("read", path);
      const part = n.content.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    readSync: (into, at) => {
      const i = failures.findIndex((f) => f.op === "read");
      if (i >= 0) {
        const code = failures.splice(i, 1)[0]?.code ?? "EIO";
        throw new DiskError("read", path, code, `${code}: simulated`);
      }
      const part = n.content.subarray(at, at + into.length);
      into.set(part);
      return part.length;
    },
    write: async (from, at) => {
      try {
        await operation("write", path);
      } catch (error) {
        put(n, at, from.slice(0, disk.partial));
        throw error;
      }
      put(n, at, from.slice());
    },
    size: async () => n.content.length,
    truncate: async (size) => {
      await operation("other", path);
      n.content = resized(n.content, size);
      n.durable = resized(n.durable, Math.min(size, n.durable.length));
      n.writes = n.writes.filter((w) => w.at < size).map((w) => ({ ...w, bytes: w.bytes.slice(0, size - w.at) }));
    },
    sync: async () => {
      try {
        await operation("sync", path);
      } catch (error) {
        n.writes = [];
        throw error;
      }
      if (n.content.length !== n.durable.length) n.durable = resized(n.durable, n.content.length);
      for (const w of n.writes) n.durable.set(w.bytes, w.at);
      n.writes = [];
    },
    close: async () => operation("other", path),
  });

  const disk: SimDisk = {
    partial: 0,
    counts: { write: 0, sync: 0, syncdir: 0 },
    before: async () => undefined,
    failNext: (op, code) => void failures.push({ op, code }),
    makeDir: async (path) => {
      const { parts, name } = split(path);
      makeFolders([...parts, name]);
    },
    list: async (path) => {
      const { parts, name } = split(path);
      return [...folderOf("list", [...parts, name], path).names.keys()].sort();
    },
    open: async (path, mode) => {
      await operation("open", path);
      if (mode === "create") {
        const { parts, name } = split(path);
        const folder = folderOf("open", parts, path);
        const made: Node = { content: new Uint8Array(), durable: new Uint8Array(), writes: [] };
        folder.names.set(name, made);
        return open(path, made);
      }
      return open(path, node("open", path));
    },
    remove: async (path) => {
      node("remove", path);
      const { folder, name } = find("remove", path);
      folder.names.delete(name);
    },
    rename: async (from, to) => {
      const source = find("rename", from);
      const { parts, name } = split(to);
      folderOf("rename", parts, to).names.set(name, source.found);
      source.folder.names.delete(source.name);
    },
    link: async (from, to) => {
      const linked = node("link", from);
      const { parts, name } = split(to);
      folderOf("link", parts, to).names.set(name, linked);
    },
    removeDir: async (path) => {
      const { parts, name } = split(path);
      try {
        folderOf("rmdir", parts, path).names.delete(name);
      } catch {
        // There is no such folder: nothing to remove.
      }
    },
    syncDir: async (path) => {
      await operation("syncdir", path);
      const { parts, name } = split(path);
      const folder = folderOf("syncdir", name === undefined ? [] : [...parts, name], path);
      folder.durable = new Map(folder.names);
    },
    file: (path) => node("file", path).content,
    replace: place,
    snapshot: () => {
      const all = new Map<string, Uint8Array>();
      collect(root.names, "", all);
      return makeSimDisk(all);
    },
    crash: (random) => {
      const survivors = new Map<string, Uint8Array>();
      const visit = (folder: Folder, prefix: string): void => {
        for (const name of new Set([...folder.names.keys(), ...folder.durable.keys()])) {
          const now = folder.names.get(name);
          const then = folder.durable.get(name);
          const kept = now === then || random() < 0.5 ? now : then;
          if (kept === undefined) continue;
          if (isFolder(kept)) visit(kept, `${prefix}${name}/`);
          else survivors.set(`${prefix}${name}`, afterCrash(kept, random));
        }
      };
      visit(root, "/");
      return makeSimDisk(survivors);
    },
  };
  return disk;
}

function collect(names: ReadonlyMap<string, Node | Folder>, prefix: string, out: Map<string, Uint8Array>): void {
  for (const [name, n] of names) {
    if (isFolder(n)) collect(n.names, `${prefix}/${name}`, out);
    else out.set(`${prefix}/${name}`, n.content);
  }
}

function put(n: Node, at: number, bytes: Uint8Array): void {
  if (at + bytes.length > n.content.length) n.content = resized(n.content, at + bytes.length);
  n.content.set(bytes, at);
  n.writes.push({ at, bytes });
}

function resized(content: Uint8Array, size: number): Uint8Array {
  const next = new Uint8Array(size);
  next.set(content.subarray(0, size));
  return next;
}

function afterCrash(n: Node, random: () => number): Uint8Array {
  const least = n.durable.length;
  const most = Math.max(least, ...n.writes.map((w) => w.at + w.bytes.length));
  const all = resized(n.durable, most);
  const odds = random();
  for (const w of n.writes) {
    for (let from = w.at; from < w.at + w.bytes.length; ) {
      const to = Math.min((Math.floor(from / SECTOR) + 1) * SECTOR, w.at + w.bytes.length);
      if (random() < odds) all.set(w.bytes.subarray(from - w.at, to - w.at), from);
      from = to;
    }
  }
  const length = random() < 0.5 ? most : least + Math.floor(random() * (most - least + 1));
  return all.slice(0, length);
}

/** A seeded source of numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let h = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
  };
}
