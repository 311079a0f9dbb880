import { join } from "node:path";
import { type Disk, ifThere, readWhole, replaceFile } from "../../lib/disk.ts";
import { formatProblem } from "../../model/config.ts";
import { isTenant } from "../../model/tenant.ts";
import type { CheckExpression } from "./expression.ts";
import type { RuleGroupSpec } from "./rule-spec.ts";
import { type GroupDocument, readGroupDocument, readNamespace, specOf, withShadow, yamlOf } from "./ruler-document.ts";

/**
 * Rule groups that come over the API, by tenant and namespace: one file a namespace under `<data>/rules/<tenant>/`.
 *
 * Invariants:
 * - a change is durable before it takes effect and before it is answered; one change at a time;
 * - a file that cannot be read or understood is left as it is: its groups do not run, and nothing is written over it.
 */
export interface Ruler {
  /** Reads what is stored. Resolves to what could not be read, in words. */
  load(): Promise<readonly string[]>;
  /** The groups as they are run, of all tenants. */
  groups(): readonly RuleGroupSpec[];
  /** Groups by namespace, of one namespace where it is given. */
  list(tenant: string, namespace?: string): Readonly<Record<string, readonly GroupDocument[]>>;
  /** Adds a group, or replaces the one of its name. Rejects with RulerError. */
  set(tenant: string, namespace: string, text: string): Promise<void>;
  /** Makes an alert rule of a group, or all of them, shadow rules or live ones. Rejects with RulerError where there is none. */
  setShadow(tenant: string, namespace: string, group: string, rule: string | undefined, shadow: boolean): Promise<void>;
  /** Rejects with RulerError where there is none. */
  deleteGroup(tenant: string, namespace: string, group: string): Promise<void>;
  deleteNamespace(tenant: string, namespace: string): Promise<void>;
  /** Everything of a tenant; nothing to do is no error. */
  deleteTenant(tenant: string): Promise<void>;
}

export interface RulerOptions {
  readonly disk: Disk;
  /** `<data>/rules`. */
  readonly dir: string;
  readonly checkExpression: CheckExpression;
  /** For groups that name no interval. */
  readonly evaluationIntervalMs: () => number;
  readonly limitsOf: (tenant: string) => RulerLimits;
  /** Called when other groups are to run. */
  readonly onChange: () => void;
}

/** 0: no limit. */
export interface RulerLimits {
  readonly maxRulesPerRuleGroup: number;
  readonly maxRuleGroups: number;
}

/** A request that cannot be fulfilled. `stored`: the disk is at fault, not the request. */
export class RulerError extends Error {
  readonly kind: "bad" | "missing" | "stored";
  constructor(kind: RulerError["kind"], message: string) {
    super(message);
    this.name = "RulerError";
    this.kind = kind;
  }
}

interface Namespace {
  readonly name: string;
  readonly documents: readonly GroupDocument[];
  /** Why its file is not understood; "" when it is. */
  readonly broken: string;
}

/** Longest name of a namespace's file before its ending, in bytes; file systems take 255 with what is around it. */
const MAX_FILE_NAME = 220;
const ENDING = ".yml";

export function makeRuler(options: RulerOptions): Ruler {
  const { disk, dir } = options;
  const tenants = new Map<string, Map<string, Namespace>>();
  let queue: Promise<unknown> = Promise.resolve();
  let made: { readonly intervalMs: number; readonly groups: readonly RuleGroupSpec[] } | undefined;

  const reading = () => ({
    evaluationIntervalMs: options.evaluationIntervalMs(),
    checkExpression: options.checkExpression,
  });
  const fileOf = (tenant: string, namespace: string) => join(dir, tenant, `${fileName(namespace)}${ENDING}`);
  const inTurn = <A>(work: () => Promise<A>): Promise<A> => {
    const done = queue.then(work);
    queue = done.catch(() => undefined);
    return done;
  };
  const changed = () => {
    made = undefined;
    options.onChange();
  };

  const loadTenant = async (tenant: string): Promise<string[]> => {
    const problems: string[] = [];
    const namespaces = new Map<string, Namespace>();
    for (const name of await disk.list(join(dir, tenant))) {
      if (!name.endsWith(ENDING) || name.startsWith(".")) continue;
      const namespace = namespaceOf(name.slice(0, -ENDING.length));
      if (namespace === undefined) continue;
      const file = join(dir, tenant, name);
      let broken = "";
      let documents: readonly GroupDocument[] = [];
      try {
        const bytes = (await readWhole(disk, file)) ?? new Uint8Array();
        const read = readNamespace(file, new TextDecoder("utf-8", { fatal: true }).decode(bytes), reading());
        if (read.problems.length === 0) documents = read.documents;
        broken = read.problems.map(formatProblem).join("; ");
      } catch (e) {
        broken = `${file}: ${e instanceof Error ? e.message : String(e)}`;
      }
      if (broken !== "") problems.push(broken);
      namespaces.set(namespace, { name: namespace, documents, broken });
    }
    if (namespaces.size > 0) tenants.set(tenant, namespaces);
    return problems;
  };

  /** Writes the namespace's groups, or removes its file where there are none left. */
  const store = async (tenant: string, namespace: string, documents: readonly GroupDocument[]): Promise<void> => {
    const file = fileOf(tenant, namespace);
    const folder = join(dir, tenant);
    try {
      if (documents.length === 0) {
        await ifThere(disk.remove(file));
        await ifThere(disk.syncDir(folder));
      } else {
        await disk.makeDir(folder);
        await disk.syncDir(dir);
        const text = yamlOf({ namespace, groups: documents.map((d) => d.content) });
        await replaceFile(disk, file, new TextEncoder().encode(text));
      }
    } catch (e) {
      throw new RulerError("stored", `the rules are not stored: ${e instanceof Error ? e.message : String(e)}`);
    }
    const namespaces = tenants.get(tenant) ?? new Map<string, Namespace>();
    if (documents.length === 0) namespaces.delete(namespace);
    else namespaces.set(namespace, { name: namespace, documents, broken: "" });
    if (namespaces.size === 0) tenants.delete(tenant);
    else tenants.set(tenant, namespaces);
    changed();
  };

  /** The groups of a namespace that is to be changed. */
  const current = (tenant: string, namespace: string): readonly GroupDocument[] => {
    const known = tenants.get(tenant)?.get(namespace);
    if (known === undefined || known.broken === "") return known?.documents ?? [];
    const advice = "mend the file and restart, or delete the namespace";
    throw new RulerError("stored", `what is stored of the namespace cannot be read, ${advice}: ${known.broken}`);
  };

  const set = async (tenant: string, namespace: string, text: string): Promise<void> => {
    checkNamespace(namespace);
    const { document, problems } = readGroupDocument(text, reading());
    if (problems.length > 0) throw new RulerError("bad", problems.map(formatProblem).join("\n"));
    const before = current(tenant, namespace);
    const at = before.findIndex((d) => d.name === document.name);
    checkLimits(options.limitsOf(tenant), document, at >= 0 ? 0 : countOf(tenants.get(tenant)) + 1);
    const after = at >= 0 ? before.with(at, document) : [...before, document];
    await store(tenant, namespace, after);
  };

  const setShadow: Ruler["setShadow"] = async (tenant, namespace, group, rule, shadow) => {
    const before = current(tenant, namespace);
    const at = before.findIndex((d) => d.name === group);
    if (at < 0) throw new RulerError("missing", "group does not exist");
    const changed = withShadow(before[at] as GroupDocument, rule, shadow);
    if (changed === undefined) throw new RulerError("missing", "the group has no such alert rule");
    if (JSON.stringify(changed) !== JSON.stringify(before[at]))
      await store(tenant, namespace, before.with(at, changed));
  };

  const deleteGroup = async (tenant: string, namespace: string, group: string): Promise<void> => {
    const before = current(tenant, namespace);
    const after = before.filter((d) => d.name !== group);
    if (after.length === before.length) throw new RulerError("missing", "group does not exist");
    await store(tenant, namespace, after);
  };

  const deleteNamespace = async (tenant: string, namespace: string): Promise<void> => {
    if (!tenants.get(tenant)?.has(namespace)) throw new RulerError("missing", "group namespace does not exist");
    await store(tenant, namespace, []);
  };

  return {
    load: () =>
      inTurn(async () => {
        await disk.makeDir(dir);
        const problems: string[] = [];
        for (const tenant of (await disk.list(dir)).filter(isTenant)) problems.push(...(await loadTenant(tenant)));
        made = undefined;
        return problems;
      }),
    groups: () => {
      const intervalMs = options.evaluationIntervalMs();
      if (made?.intervalMs !== intervalMs) {
        const groups = [...tenants].flatMap(([tenant, namespaces]) =>
          [...namespaces.values()].flatMap(({ name: namespace, documents }) =>
            documents.map((d) => specOf(d, { file: fileOf(tenant, namespace), tenant, namespace }, reading())),
          ),
        );
        made = { intervalMs, groups };
      }
      return made.groups;
    },
    list: (tenant, namespace) => {
      const out: Record<string, readonly GroupDocument[]> = Object.create(null);
      const all = [...(tenants.get(tenant)?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
      for (const { name, documents } of all) {
        if ((namespace === undefined || namespace === name) && documents.length > 0) out[name] = documents;
      }
      return out;
    },
    set: (tenant, namespace, text) => inTurn(() => set(tenant, namespace, text)),
    setShadow: (...args) => inTurn(() => setShadow(...args)),
    deleteGroup: (tenant, namespace, group) => inTurn(() => deleteGroup(tenant, namespace, group)),
    deleteNamespace: (tenant, namespace) => inTurn(() => deleteNamespace(tenant, namespace)),
    deleteTenant: (tenant) =>
      inTurn(async () => {
        for (const namespace of [...(tenants.get(tenant)?.keys() ?? [])]) await store(tenant, namespace, []);
      }),
  };
}

function countOf(namespaces: ReadonlyMap<string, Namespace> | undefined): number {
  return [...(namespaces?.values() ?? [])].reduce((n, { documents }) => n + documents.length, 0);
}

/** @param groups how many the tenant would have; 0: no more than before */
function checkLimits(limits: RulerLimits, document: GroupDocument, groups: number): void {
  const { maxRulesPerRuleGroup, maxRuleGroups } = limits;
  if (maxRulesPerRuleGroup > 0 && document.rules > maxRulesPerRuleGroup) {
    const limit = `limits.max_rules_per_rule_group is ${maxRulesPerRuleGroup}`;
    throw new RulerError("bad", `group ${JSON.stringify(document.name)} has ${document.rules} rules, ${limit}`);
  }
  if (maxRuleGroups > 0 && groups > maxRuleGroups) {
    throw new RulerError(
      "bad",
      `the tenant would have ${groups} rule groups, limits.max_rule_groups is ${maxRuleGroups}`,
    );
  }
}

function checkNamespace(namespace: string): void {
  if (namespace === "" || !namespace.isWellFormed()) throw new RulerError("bad", "the namespace has no usable name");
  if (fileName(namespace).length > MAX_FILE_NAME) {
    throw new RulerError("bad", `the namespace's name is longer than ${MAX_FILE_NAME} bytes in percent encoding`);
  }
}

/** Percent encoding with lower-case letters alone left as they are, so that no two names are one to a file system. */
function fileName(namespace: string): string {
  const encoded = [...new TextEncoder().encode(namespace)].map((byte) =>
    /[a-z0-9_-]/.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`,
  );
  return encoded.join("");
}

/** The name that the file of a namespace stands for; undefined for what is none of ours. */
function namespaceOf(encoded: string): string | undefined {
  try {
    const name = decodeURIComponent(encoded);
    return fileName(name) === encoded ? name : undefined;
  } catch {
    return undefined;
  }
}
