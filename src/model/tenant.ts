import { DEFAULT_TENANT } from "./sample.ts";

/** Longest tenant name in characters (all are ASCII). */
export const MAX_TENANT_LENGTH = 64;

const TENANT = /^[a-zA-Z0-9._-]{1,64}$/;

/** True for what may name a tenant: 1 to 64 letters, digits, '.', '_' or '-', but not "." and ".." (tenants may become paths). */
export function isTenant(name: string): boolean {
  return name === DEFAULT_TENANT || (TENANT.test(name) && name !== "." && name !== "..");
}
