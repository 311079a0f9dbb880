import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { ScrapeConfig, TlsConfig } from "../model/config.ts";
import type { authorizationSchema, basicAuthSchema, tlsSchema } from "./http-client-keys.ts";
import type { ReadKeys } from "./schema/schema.ts";
import { problem, reasonOf, type Source } from "./schema/source.ts";

/** A path of the configuration, relative to the folder of the file that it stands in. */
export function pathFrom(source: Source, path: string): string {
  return resolve(dirname(resolve(source.file)), path);
}

/** The content of a secret file without the white space around it; reports a file that cannot be read at `owner`. */
function readSecret(source: Source, owner: object, path: string): string {
  try {
    return readFileSync(pathFrom(source, path), "utf8").trim();
  } catch (error) {
    problem(source, source.nodes.get(owner), `${path} cannot be read: ${reasonOf(error)}`);
    return "";
  }
}

/** What was written in place, else what the file holds; undefined when neither is given. */
function textOrFile(source: Source, owner: object, text: string | undefined, file: string | undefined) {
  return text ?? (file === undefined ? undefined : readSecret(source, owner, file));
}

export function toBasicAuth(
  source: Source,
  auth: ReadKeys<(typeof basicAuthSchema)["keys"]>,
): { username: string; password: string } {
  return {
    username: textOrFile(source, auth, auth.username, auth.username_file) ?? "",
    password: textOrFile(source, auth, auth.password, auth.password_file) ?? "",
  };
}

export function toAuthorization(
  source: Source,
  auth: ReadKeys<(typeof authorizationSchema)["keys"]>,
): { type: string; credentials: string } {
  const credentials = textOrFile(source, auth, auth.credentials, auth.credentials_file) ?? "";
  return { type: auth.type, credentials };
}

/** `bearer_token` and `bearer_token_file`. */
export function toBearer(
  source: Source,
  owner: object,
  token: string | undefined,
  file: string | undefined,
): ScrapeConfig["authorization"] {
  const credentials = textOrFile(source, owner, token, file);
  return credentials === undefined ? undefined : { type: "Bearer", credentials };
}

const TLS_VERSION = { TLS10: "TLSv1", TLS11: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3" } as const;

export function toTls(source: Source, tls: ReadKeys<(typeof tlsSchema)["keys"]> | undefined): TlsConfig {
  if (tls === undefined) return { insecureSkipVerify: false };
  const ca = textOrFile(source, tls, tls.ca, tls.ca_file);
  const cert = textOrFile(source, tls, tls.cert, tls.cert_file);
  const key = textOrFile(source, tls, tls.key, tls.key_file);
  if ((cert === undefined) !== (key === undefined)) {
    problem(source, source.nodes.get(tls), "a client certificate needs both cert and key");
  }
  return {
    insecureSkipVerify: tls.insecure_skip_verify,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(tls.server_name === undefined ? {} : { serverName: tls.server_name }),
    ...(tls.min_version === undefined ? {} : { minVersion: TLS_VERSION[tls.min_version] }),
    ...(tls.max_version === undefined ? {} : { maxVersion: TLS_VERSION[tls.max_version] }),
  };
}
