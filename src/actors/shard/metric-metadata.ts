/**
 * What the senders say of metric families (type, help, unit), by tenant: a bounded table in memory. The last word counts.
 */
import type { FrameMetadata, MetricType } from "../../streams/codec/frame-records.ts";

export interface FamilyMetadata {
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

export interface MetadataTable {
  /** Families of each tenant, the one said last at the end. */
  readonly tenants: Map<string, Map<string, FamilyMetadata>>;
  families: number;
  /** Families that had to go for others. */
  dropped: number;
}

/** Families of one tenant, and of all. What was said longest ago goes first. */
export const MAX_FAMILIES = 20_000;
export const MAX_ALL_FAMILIES = 100_000;

export function makeMetadataTable(): MetadataTable {
  return { tenants: new Map(), families: 0, dropped: 0 };
}

export function setMetadata(table: MetadataTable, { tenant, family, type, help, unit }: FrameMetadata): void {
  let families = table.tenants.get(tenant);
  if (families === undefined) {
    families = new Map();
    table.tenants.set(tenant, families);
  }
  if (families.delete(family)) table.families--;
  if (families.size >= MAX_FAMILIES) dropOldest(table, tenant);
  // Of all tenants the one with the most gives way, so that none can push the others out.
  if (table.families >= MAX_ALL_FAMILIES) dropOldest(table, largestTenant(table));
  families.set(family, { type, help, unit });
  table.families++;
}

function dropOldest(table: MetadataTable, tenant: string): void {
  const families = table.tenants.get(tenant);
  const oldest = families?.keys().next().value;
  if (families === undefined || oldest === undefined) return;
  families.delete(oldest);
  table.families--;
  table.dropped++;
}

function largestTenant(table: MetadataTable): string {
  let name = "";
  let most = -1;
  for (const [tenant, families] of table.tenants) {
    if (families.size <= most) continue;
    name = tenant;
    most = families.size;
  }
  return name;
}

/** What is known of a family, undefined when nothing is. */
export function familyMetadata(table: MetadataTable, tenant: string, family: string): FamilyMetadata | undefined {
  return table.tenants.get(tenant)?.get(family);
}

/** All families of a tenant. */
export function tenantMetadata(table: MetadataTable, tenant: string): ReadonlyMap<string, FamilyMetadata> {
  return table.tenants.get(tenant) ?? new Map();
}
