import { Option } from "commander";

/** Options of all commands that ask a running server. */

export const urlOption = (): Option =>
  new Option("--url <url>", "the server; user:password@ is sent as basic authentication")
    .env("TOCSIN_URL")
    .default("http://127.0.0.1:9090");

/** @param whose what of the tenant is asked for: `whose data` */
export const tenantOption = (whose: string): Option => new Option("--tenant <name>", whose).env("TOCSIN_TENANT");
