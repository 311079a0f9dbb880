/**
 * Lives of a shard by a seed: a bus, a disk, a clock, and everything that a shard does with its storage, at random, with
 * power cuts, kills, failing disks and clocks that jump; after each start what is stored is compared with the model.
 *
 * Fault model: the disk's is that of sim-disk.ts. A kill keeps what was written, a power cut only what was synced. The bus keeps
 * what it acknowledged, gives messages in two lanes (the newest first), and forgets what the shard says is on its disk.
 */
import { setImmediate as turn } from "node:timers/promises";
import type { StorageSettings } from "../../src/actors/shard/storage-settings.ts";
import { DiskError } from "../../src/lib/disk.ts";
import { labelsKey } from "../../src/model/labels.ts";
import { DEFAULT_TENANT } from "../../src/model/sample.ts";
import { walEpoch } from "../../src/storage/wal/wal.ts";
import { WalError } from "../../src/storage/wal/wal-error.ts";
import { frameOf, type Row, testSeries } from "../actors/shard/frames.ts";
import { makeSimDisk, type SimDisk, seededRandom } from "../lib/sim-disk.ts";
import { type FailingDisk, makeFailingDisk } from "./failing-disk.ts";
import { HOUR, type Lab, MINUTE, openLab, T0 } from "./lab.ts";
import { compare, type Entry, FUNCTIONS, modelOf, type Sample, windowValue } from "./model.ts";

const SERIES = 6;
const series = Array.from({ length: SERIES }, (_, s) => testSeries(["__name__", s < 4 ? "m" : "n", "s", String(s)]));
const keys = series.map((s) => labelsKey(s.labels));

interface Message {
  readonly frame: Uint8Array;
  readonly samples: readonly Sample[];
}

export interface WorldOptions {
  readonly seed: number;
  readonly lives: number;
  readonly steps: number;
  /** Told of what happens, for a person who looks into a failure. */
  readonly trace?: (line: string) => void;
  /** Told of every operation of the disk as well. */
  readonly everyOperation?: boolean;
}

interface World {
  readonly random: () => number;
  readonly trace: (line: string) => void;
  readonly settings: Partial<StorageSettings>;
  readonly rawAge: number;
  readonly bus: Map<number, Message>;
  first: number;
  last: number;
  /** Newest time that was published, and what the clock says. */
  dataTime: number;
  clock: number;
  /** What was applied, in order; after a start what of it is left. */
  log: Entry[];
  /** What was applied and lost again: of its samples some may lie in blocks already. It is read once more. */
  ghosts: Entry[];
  durable: Set<number>;
  /** Newest time that was applied in any life. */
  newest: number;
  /** Hours (their ends) that late samples came to: when raw samples go, nothing is promised about their rollups. */
  readonly late: Set<number>;
  /** Hours that deletions begin or end in: without raw samples their rows stay as they are. */
  readonly edges: Set<number>;
  value: number;
}

export async function runWorld(options: WorldOptions): Promise<void> {
  const { seed } = options;
  const random = seededRandom(seed);
  const ids = seededRandom(seed ^ 0x5eed);
  const mathRandom = Math.random;
  const performanceNow = performance.now;
  let ticks = 0;
  Math.random = ids;
  // Slices of work end at moments that the seed decides.
  performance.now = () => {
    ticks += ids() * 4;
    return ticks;
  };
  try {
    await live(options, random);
  } finally {
    Math.random = mathRandom;
    performance.now = performanceNow;
  }
}

async function live(options: WorldOptions, random: () => number): Promise<void> {
  const withAge = random() < 0.4;
  const rawAge = withAge ? (12 + Math.floor(random() * 24)) * HOUR : 0;
  const world: World = {
    random,
    trace: options.trace ?? (() => undefined),
    rawAge,
    settings: {
      ages: { raw: rawAge, "1m": 0, "1h": 0 },
      maxBlockRangeMs: random() < 0.5 ? 8 * HOUR : 24 * HOUR,
    },
    bus: new Map(),
    first: 1,
    last: 0,
    dataTime: T0,
    clock: T0,
    log: [],
    ghosts: [],
    durable: new Set(),
    newest: Number.NEGATIVE_INFINITY,
    late: new Set(),
    edges: new Set(),
    value: 0,
  };
  let disk = makeSimDisk();
  for (let i = 0; i < options.lives; i++) {
    world.trace(`life ${i}`);
    disk = await oneLife(world, disk, options);
  }
  world.trace("last life");
  const lab = await openLab({ disk, now: () => world.clock, settings: world.settings });
  for (const line of lab.lines) world.trace(line);
  reconcile(world, lab);
  await check(world, lab);
  await lab.jobs();
  await check(world, lab);
  await consume(world, lab, newLanes(world, lab), Number.POSITIVE_INFINITY);
  await lab.sync();
  await check(world, lab);
}

/** What of the log has survived; everything that was promised must have. */
function reconcile(world: World, lab: Lab): void {
  const { applied } = lab.keeper.wal.state;
  for (const seq of world.durable) {
    if (!applied.has(seq)) throw new Error(`message ${seq} was on disk and is gone`);
  }
  const isThere = (e: Entry): boolean => e.kind === "delete" || applied.has(e.seq);
  world.ghosts = [...world.ghosts, ...world.log].filter((e) => !isThere(e));
  world.log = world.log.filter(isThere);
  const known = new Set(world.log.flatMap((e) => (e.kind === "delete" ? [] : [e.seq])));
  for (let seq = 1; seq <= world.last; seq++) {
    if (applied.has(seq) && !known.has(seq)) throw new Error(`message ${seq} counts as applied and never was`);
  }
  world.durable = known;
}

interface Lanes {
  /** The last message of the fresh lane. */
  fresh: number;
}

function newLanes(world: World, lab: Lab): Lanes {
  const behind = Math.max(lab.keeper.wal.state.applied.last(), world.first - 1);
  const skipped = world.random() < 0.5 ? 0 : Math.floor(world.random() * (world.last - behind));
  return { fresh: Math.min(world.last, behind + Math.max(0, skipped)) };
}

async function consume(
  world: World,
  lab: Lab,
  lanes: Lanes,
  most: number,
  goesOn: () => boolean = () => true,
): Promise<void> {
  const { keeper } = lab;
  for (let n = 0; n < most; n++) {
    for (let held = keeper.gate.held(); held !== undefined; held = keeper.gate.held()) await held;
    if (!goesOn()) return;
    const taken = keeper.wal.state.applied;
    const backlog = taken.gaps(lanes.fresh).find((g) => g.to >= world.first)?.from;
    const isFresh = lanes.fresh < world.last && (backlog === undefined || world.random() < 0.7);
    const seq = isFresh ? lanes.fresh + 1 : backlog;
    if (seq === undefined) return;
    if (isFresh) lanes.fresh = seq;
    if (taken.has(seq)) continue;
    const message = world.bus.get(seq);
    if (message === undefined) throw new Error(`message ${seq} was purged before it was on disk`);
    lab.take(seq, message.frame, isFresh ? "frame" : "backlog");
    world.trace(`takes ${seq}`);
    note(world, { kind: isFresh ? "frame" : "backlog", seq, samples: message.samples });
  }
}

function note(world: World, entry: Entry): void {
  world.log.push(entry);
  if (entry.kind !== "delete") world.ghosts = world.ghosts.filter((g) => g.kind === "delete" || g.seq !== entry.seq);
  if (entry.kind === "delete") {
    for (const t of [entry.minT, entry.maxT]) world.edges.add(Math.ceil(t / HOUR) * HOUR);
    return;
  }
  for (const { t } of entry.samples) {
    world.newest = Math.max(world.newest, t);
    if (t < world.newest - 2 * HOUR) world.late.add(Math.ceil(t / HOUR) * HOUR);
  }
}

function publish(world: World): void {
  const { random } = world;
  for (let n = 1 + Math.floor(random() * 4); n > 0; n--) {
    const rows: Row[] = [];
    const samples: Sample[] = [];
    world.dataTime +=
      Math.floor(random() * random() * 90) * MINUTE + (random() < 0.5 ? 0 : Math.floor(random() * 60_000));
    for (let k = 1 + Math.floor(random() * 8); k > 0; k--) {
      const s = Math.floor(random() * SERIES);
      const span = world.rawAge === 0 ? 40 * HOUR : world.rawAge - 7 * HOUR;
      let t = random() < 0.2 ? world.dataTime - Math.floor(random() * span) : world.dataTime - k * 7000;
      // Ends of buckets and windows are where mistakes live.
      if (random() < 0.15) t = Math.floor(t / HOUR) * HOUR;
      const before = world.log.at(-1);
      if (random() < 0.05 && before !== undefined && before.kind !== "delete") t = before.samples[0]?.t ?? t;
      if (samples.some((x) => x.key === keys[s] && x.t === t)) continue;
      const v = ++world.value;
      rows.push([series[s] as (typeof series)[number], t, v]);
      samples.push({ key: keys[s] as string, t, v });
    }
    rows.sort(([, a], [, b]) => a - b);
    world.last++;
    world.bus.set(world.last, { frame: frameOf(series, rows), samples });
  }
  world.clock = Math.max(world.clock, world.dataTime);
}

/** Deletes something; what is asked for is one series, a metric or everything, over some hours or all of time. */
async function remove(world: World, lab: Lab, goesOn: () => boolean): Promise<void> {
  const { random } = world;
  const s = Math.floor(random() * SERIES);
  const set =
    random() < 0.6
      ? [{ name: "s", op: "=" as const, value: String(s) }]
      : [{ name: "__name__", op: "=" as const, value: "n" }];
  const hit = new Set(set[0]?.name === "s" ? [keys[s] as string] : keys.slice(4));
  const from = world.dataTime - Math.floor(random() * 30 * HOUR);
  let [minT, maxT] = [from, from + Math.floor(random() * 6 * HOUR)];
  if (random() < 0.3) [minT, maxT] = [Math.floor(minT / HOUR) * HOUR + 1, Math.floor(maxT / HOUR) * HOUR];
  if (random() < 0.1) [minT, maxT] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const entry: Entry = { kind: "delete", keys: hit, minT, maxT, acknowledged: false };
  world.trace(`delete of ${[...hit].join()} from ${minT} to ${maxT}, raw for ${world.rawAge / HOUR} h`);
  let noted = false;
  const command = {
    // First read when the record is made: that is its place in the log.
    get tenant() {
      if (!noted && goesOn()) note(world, entry);
      noted = true;
      return DEFAULT_TENANT;
    },
    ...{ sets: [set], minT, maxT },
  };
  await lab.keeper.delete(command);
  if (goesOn()) entry.acknowledged = true;
}

async function check(world: World, lab: Lab): Promise<void> {
  const { rawAge, newest } = world;
  const model = modelOf(world.log, world.ghosts);
  compare(lab.contents(), model, (t) => rawAge > 0 && t <= newest - rawAge);
  const warnings = lab.warnings();
  if (warnings.length > 0) throw new Error(`warnings without damage: ${warnings.join("; ")}`);
  await checkRollups(world, lab, model);
}

async function checkRollups(world: World, lab: Lab, model: ReturnType<typeof modelOf>): Promise<void> {
  if (model.size === 0) return;
  const times = [...model.values()].flatMap((m) => [...m.keys()]);
  const start = Math.floor(Math.min(...times) / HOUR) * HOUR;
  const end = Math.ceil(Math.max(...times) / HOUR) * HOUR;
  const f = FUNCTIONS[Math.floor(world.random() * FUNCTIONS.length)] as (typeof FUNCTIONS)[number];
  const { matrix, warnings } = await lab.ask(`${f}_over_time({__name__=~"m|n"}[1h])`, start, end, HOUR);
  if (warnings.length > 0) throw new Error(`warnings: ${warnings.join("; ")}`);
  const rowOf = new Map(matrix.labels.map((l, i) => [l[l.indexOf("s") + 1] as string, i]));
  const steps = (end - start) / HOUR + 1;
  for (let s = 0; s < SERIES; s++) {
    for (let i = 0; i < steps; i++) {
      const at = start + i * HOUR;
      const mayBeGone = world.rawAge > 0 && at < world.newest - world.rawAge + 6 * HOUR;
      if (mayBeGone && (world.late.has(at) || world.edges.has(at))) continue;
      const want = windowValue(f, model.get(keys[s] as string), at);
      if (want === "open") continue;
      const row = rowOf.get(String(s));
      const there = row !== undefined && matrix.present[row * steps + i] === 1;
      const got = there ? matrix.values[row * steps + i] : undefined;
      if (got !== want) {
        const { blocks, state } = lab.keeper.storage;
        const inside = [...(model.get(keys[s] as string) ?? [])].filter(([t]) => t > at - HOUR && t <= at);
        world.trace(
          `samples ${inside.map(([t, o]) => `${t}=${[...o].join("|")}`).join()}; head from ${lab.core.head.minT}`,
        );
        world.trace(JSON.stringify(state.progress));
        for (const [tier, open] of Object.entries(blocks.tiers)) {
          for (const {
            block: { meta },
          } of open)
            if (meta.maxT > at - 3 * HOUR && meta.minT <= at + 3 * HOUR)
              world.trace(
                `${tier} ${meta.id} ${meta.minT} to ${meta.maxT}, range ${meta.rangeStart} to ${meta.rangeEnd} of ${meta.sources.join()}`,
              );
        }
        throw new Error(`${f}_over_time of series ${s} in the hour to ${at}: ${got} instead of ${want}`);
      }
    }
  }
}

/** The errors that a failing disk may cause. */
function expected(error: unknown): void {
  if (error instanceof WalError || error instanceof DiskError) return;
  throw error;
}

async function oneLife(world: World, disk: SimDisk, options: WorldOptions): Promise<SimDisk> {
  const { random, trace } = world;
  const failing = makeFailingDisk(disk);
  const died = Promise.withResolvers<void>();
  let lab: Lab;
  if (random() < 0.15) armFault(world, failing, disk, 60);
  try {
    lab = await openLab({ disk: failing, now: () => world.clock, settings: world.settings });
  } catch (error) {
    expected(error);
    trace(`start failed: ${String(error)}`);
    failing.kill();
    return disk.crash(random);
  }
  failing.failAt = Number.POSITIVE_INFINITY;
  failing.lasting = false;
  for (const line of lab.lines) trace(line);
  reconcile(world, lab);
  await check(world, lab);
  const lanes = newLanes(world, lab);
  const { keeper } = lab;
  walEpoch(keeper.wal, "stream");
  let failure: { error: unknown } | undefined;
  let over = false;
  if (options.everyOperation === true) failing.before = (op, path) => trace(`  ${failing.operations} ${op} ${path}`);
  const start = (what: string, work: () => Promise<unknown>): Promise<void> => {
    trace(what);
    const done = work().then(
      () => trace(`${what}: done`),
      (error: unknown) => {
        trace(`${what}: ${String(error)}`);
        try {
          expected(error);
        } catch (unexpected) {
          failure ??= { error: unexpected };
        }
        if (keeper.wal.failure !== undefined) died.resolve();
      },
    );
    return done;
  };
  const sync = async (): Promise<void> => {
    const upTo = [...world.log];
    await lab.sync();
    if (over) return;
    trace(`on disk: ${upTo.map((e) => (e.kind === "delete" ? "delete" : e.seq)).join()}`);
    for (const e of upTo) if (e.kind !== "delete") world.durable.add(e.seq);
    purge(world, keeper.wal.synced.applied.contiguousEnd());
  };
  const step = async (): Promise<void> => {
    const dice = random();
    const wait = random() < 0.6;
    let work: Promise<void> | undefined;
    if (dice < 0.22) publish(world);
    else if (dice < 0.5) await consume(world, lab, lanes, 1 + Math.floor(random() * 6), goesOn);
    else if (dice < 0.62) work = start("sync", sync);
    else if (dice < 0.66) work = start("checkpoint", () => keeper.checkpoint());
    else if (dice < 0.74) work = start("cut", () => keeper.maintenance.lookAtHead());
    else if (dice < 0.86) work = start("job", () => keeper.maintenance.lookAtBlocks());
    else if (dice < 0.9) work = start("delete", () => remove(world, lab, goesOn));
    else if (dice < 0.91) work = start("clean", () => keeper.maintenance.cleanTombstones().catch(notRewritten));
    else if (dice < 0.925) jump(world);
    else if (dice < 0.96) armFault(world, failing, disk, 40);
    else {
      failing.failAt = Number.POSITIVE_INFINITY;
      failing.lasting = false;
    }
    if (!goesOn()) return;
    if (work !== undefined && wait) await work;
    else for (let turns = Math.floor(random() * 3); turns > 0; turns--) await turn();
  };
  const goesOn = (): boolean => !over && failure === undefined && keeper.wal.failure === undefined;
  const run = async (): Promise<void> => {
    for (let n = Math.floor(random() * options.steps); n > 0 && goesOn(); n--) {
      try {
        await step();
      } catch (error) {
        expected(error);
      }
    }
  };
  // Half of the ends are in the middle of something.
  if (random() < 0.5) {
    const at = failing.operations + Math.floor(random() * random() * 600);
    const { before } = failing;
    failing.before = (op, path) => {
      before(op, path);
      if (failing.operations < at || over) return;
      trace(`end at ${op} ${path}`);
      over = true;
      failing.kill();
      died.resolve();
    };
  }
  await Promise.race([run(), died.promise]);
  over = true;
  failing.kill();
  if (failure !== undefined) throw failure.error;
  const power = random() < 0.6;
  trace(power ? "power cut" : "kill");
  return power ? disk.crash(random) : disk;
}

function notRewritten(error: unknown): void {
  if (!(error instanceof Error && error.message.includes("could not be rewritten"))) throw error;
}

function purge(world: World, upTo: number): void {
  // The newest message stays.
  while (world.first < Math.min(upTo, world.last)) world.bus.delete(world.first++);
}

function armFault(world: World, failing: FailingDisk, disk: SimDisk, within: number): void {
  const { random } = world;
  failing.failAt = failing.operations + Math.floor(random() * within);
  failing.lasting = random() < 0.3;
  failing.code = random() < 0.7 ? "ENOSPC" : "EIO";
  disk.partial = Math.floor(random() * 600);
  world.trace(`fault ${failing.code} at operation ${failing.failAt}`);
}

function jump(world: World): void {
  const { random } = world;
  const by = (random() < 0.5 ? -1 : 1) * random() ** 3 * 400 * 24 * HOUR;
  world.clock = Math.floor(random() < 0.4 ? world.dataTime : world.clock + by);
  world.trace(`the clock says ${new Date(world.clock).toISOString()}`);
}
