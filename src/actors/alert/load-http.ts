import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Node } from "yaml";
import {
  field,
  readBoolean,
  readList,
  readMap,
  readOpenMap,
  readString,
  report,
  type YamlReader,
} from "../../lib/yaml-reader.ts";
import type { HttpConfig } from "./alertmanager-config.ts";

const KNOWN = [
  "authorization",
  "basic_auth",
  "bearer_token",
  "bearer_token_file",
  "follow_redirects",
  "enable_http2",
  "http_headers",
  "oauth2",
  "tls_config",
  "proxy_url",
  "proxy_from_environment",
  "proxy_connect_header",
  "no_proxy",
];
const NOT_YET = ["oauth2", "tls_config", "proxy_url", "proxy_from_environment", "proxy_connect_header"];

/** Reads an `http_config`; what it does not set comes from `inherited` when nothing at all is set. */
export function readHttpConfig(
  r: YamlReader,
  node: Node | undefined,
  folder: string,
  inherited: HttpConfig = { headers: {}, followRedirects: true },
): HttpConfig {
  if (node === undefined) return inherited;
  const entries = readMap(r, node, "http_config", KNOWN);
  for (const key of NOT_YET) {
    const entry = entries.get(key);
    if (entry !== undefined) report(r, entry.keyNode, `http_config.${key} is not supported yet`);
  }
  const headers: Record<string, string> = {};
  const secretOf = (map: ReturnType<typeof readMap>, key: string) => readSecret(r, map, key, folder);
  const ways = ["authorization", "basic_auth", "bearer_token", "bearer_token_file"].filter((k) => entries.has(k));
  if (ways.length > 1) report(r, node, `at most one of ${ways.join(" & ")} must be configured`);
  const basic = entries.get("basic_auth");
  if (basic !== undefined) {
    const auth = readMap(r, basic.value, "basic_auth", ["username", "username_file", "password", "password_file"]);
    const pair = `${secretOf(auth, "username")}:${secretOf(auth, "password")}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  const authorization = entries.get("authorization");
  if (authorization !== undefined) {
    const auth = readMap(r, authorization.value, "authorization", ["type", "credentials", "credentials_file"]);
    const type = field(auth, "type", (n) => readString(r, n, "type")) ?? "Bearer";
    if (type.toLowerCase() === "basic")
      report(r, authorization.value, `authorization type cannot be set to "basic", use "basic_auth" instead`);
    headers.authorization = `${type} ${secretOf(auth, "credentials")}`;
  }
  if (entries.has("bearer_token") || entries.has("bearer_token_file")) {
    headers.authorization = `Bearer ${secretOf(entries, "bearer_token")}`;
  }
  for (const { key, value } of readOpenMap(r, entries.get("http_headers")?.value, "http_headers").values()) {
    const header = readMap(r, value, `header ${key}`, ["values", "secrets", "files"]);
    const values = ["values", "secrets"].flatMap((k) =>
      readList(r, header.get(k)?.value, k).map((n) => readString(r, n, `header ${key}`) ?? ""),
    );
    for (const file of readList(r, header.get("files")?.value, "files")) {
      values.push(readSecretFile(r, file, resolve(folder, readString(r, file, "file") ?? "")));
    }
    headers[key.toLowerCase()] = values.join(", ");
  }
  return {
    headers,
    followRedirects: field(entries, "follow_redirects", (n) => readBoolean(r, n, "follow_redirects")) ?? true,
  };
}

/** The value of `key`, or what the file named by `key_file` holds; "" when neither is set. */
export function readSecret(r: YamlReader, entries: ReturnType<typeof readMap>, key: string, folder: string): string {
  const plain = entries.get(key);
  const file = entries.get(`${key}_file`);
  if (plain !== undefined && file !== undefined) {
    report(r, file.keyNode, `at most one of ${key} & ${key}_file must be configured`);
  }
  if (file === undefined) return readString(r, plain?.value, key) ?? "";
  return readSecretFile(r, file.value, resolve(folder, readString(r, file.value, `${key}_file`) ?? ""));
}

function readSecretFile(r: YamlReader, node: Node | undefined, path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    report(r, node, `cannot be read: ${(error as Error).message}`);
    return "";
  }
}
