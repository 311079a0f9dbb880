import { type Disk, DiskError, type DiskFile } from "../../src/lib/disk.ts";

/**
 * A disk in memory that fails as real ones do.
 *
 * Fault model of `crash`: of a file, what was there at its last sync survives; of each later write any of the 512-byte
 * sectors may survive, in any combination, and the file may have any length from the synced one to the written one, with
 * zeros where nothing survived. Of names made or removed since the last sync of the folder, each may or may not be there.
 * Truncation is atomic. A failed sync loses what was not synced, and a sync after it does not bring it back.
 */
export interface SimDisk extends Disk {
  /** Fails the next operation of this kind with this errno; repeated calls queue up. */
  failNext(op: "write" | "sync" | "open" | "syncdir", code: string): void;
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

interface Node {
  content: Uint8Array;
  durable: Uint8Array;
  writes: { at: number; bytes: Uint8Array }[];
}

const SECTOR = 512;

export function makeSimDisk(files: ReadonlyMap<string, Uint8Array> = new Map()): SimDisk {
  const names = new Map<string, Node>();
  for (const [path, content] of files)
    names.set(path, { content: content.slice(), durable: content.slice(), writes: [] });
  let durableNames = new Map(names);
  const failures: { op: string; code: string }[] = [];

  const operation = async (op: "write" | "sync" | "open" | "syncdir" | "other", path: string): Promise<void> => {
    await disk.before(op);
    if (op === "write" || op === "sync" || op === "syncdir") disk.counts[op]++;
    const i = failures.findIndex((f) => f.op === op);
    if (i < 0) return;
    const [failure] = failures.splice(i, 1);
    const code = failure?.code ?? "EIO";
    throw new DiskError(op, path, code, `${code}: simulated`);
  };
  const node = (op: string, path: string): Node => {
    const found = names.get(path);
    if (found === undefined) throw new DiskError(op, path, "ENOENT", "no such file");
    return found;
  };

  const open = (path: string, n: Node): DiskFile => ({
    read: async (into, at) => {
      await operation("other", path);
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
      if (n.writes.length > 0 || n.content.length !== n.durable.length) n.durable = n.content.slice();
      n.writes = [];
    },
    close: async () => operation("other", path),
  });

  const disk: SimDisk = {
    partial: 0,
    counts: { write: 0, sync: 0, syncdir: 0 },
    before: async () => undefined,
    failNext: (op, code) => void failures.push({ op, code }),
    makeDir: async () => undefined,
    list: async (dir) => {
      const prefix = `${dir}/`;
      return [...names.keys()]
        .filter((p) => p.startsWith(prefix))
        .map((p) => p.slice(prefix.length))
        .sort();
    },
    open: async (path, mode) => {
      await operation("open", path);
      if (mode === "create") {
        const made = { content: new Uint8Array(), durable: new Uint8Array(), writes: [] };
        names.set(path, made);
        return open(path, made);
      }
      return open(path, node("open", path));
    },
    remove: async (path) => {
      node("remove", path);
      names.delete(path);
    },
    rename: async (from, to) => {
      names.set(to, node("rename", from));
      names.delete(from);
    },
    syncDir: async (dir) => {
      await operation("syncdir", dir);
      durableNames = new Map(names);
    },
    file: (path) => node("file", path).content,
    replace: (path, content) => void names.set(path, { content, durable: content.slice(), writes: [] }),
    snapshot: () => makeSimDisk(new Map([...names].map(([path, n]) => [path, n.content]))),
    crash: (random) => {
      const survivors = new Map<string, Uint8Array>();
      for (const path of new Set([...names.keys(), ...durableNames.keys()])) {
        const now = names.get(path);
        const then = durableNames.get(path);
        const kept = now === then || random() < 0.5 ? now : then;
        if (kept !== undefined) survivors.set(path, afterCrash(kept, random));
      }
      return makeSimDisk(survivors);
    },
  };
  return disk;
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
