import type { TlsConfig } from "../../model/config.ts";
import type { HttpConfig, OAuth2Config } from "./integration-config.ts";
import { type Fields, type LoadContext, markSecrets, readSecretFile } from "./load-fields.ts";

const PLAIN: HttpConfig = { headers: {}, followRedirects: true };

/** Reads the `http_config` of a section; one that is absent is `inherited` whole. */
export function readHttpConfig(c: LoadContext, parent: Fields, inherited: HttpConfig = PLAIN): HttpConfig {
  return parent.inner("http_config", "http_config", (f) => readHttp(c, f)) ?? inherited;
}

function readHttp(c: LoadContext, f: Fields): HttpConfig {
  const ways = ["authorization", "basic_auth", "bearer_token", "bearer_token_file", "oauth2"].filter((k) => f.has(k));
  if (ways.length > 1) f.problem(undefined, `at most one of ${ways.join(" & ")} must be configured`);
  const authorization = readAuthorization(f);
  const oauth2 = f.inner("oauth2", "oauth2", (o) => readOAuth2(c, o));
  const headers = readHeaders(c, f);
  if (authorization !== undefined) headers.authorization = authorization;
  const followRedirects = f.boolean("follow_redirects", true);
  f.boolean("enable_http2", true); // HTTP/1.1 is used either way
  return { ...readTransport(f), headers, followRedirects, ...(oauth2 === undefined ? {} : { oauth2 }) };
}

/** Keys of a store of secrets, which there is none of. */
function refuseReferences(f: Fields, keys: readonly string[]): void {
  for (const key of keys) {
    const ref = `${key}_ref`;
    if (f.has(ref)) f.problem(ref, `${ref} is not supported: there is no store of secrets; use ${key}_file`);
  }
}

/** The value of the Authorization header. */
function readAuthorization(f: Fields): string | undefined {
  const basic = f.inner("basic_auth", "basic_auth", (auth) => {
    refuseReferences(auth, ["username", "password"]);
    const user = auth.has("username_file") ? auth.secret("username") : auth.string("username");
    return `Basic ${Buffer.from(`${user}:${auth.secret("password")}`).toString("base64")}`;
  });
  const other = f.inner("authorization", "authorization", (auth) => {
    refuseReferences(auth, ["credentials"]);
    const type = auth.string("type", "Bearer");
    if (type.toLowerCase() === "basic")
      auth.problem("type", 'authorization type cannot be set to "basic", use "basic_auth" instead');
    return `${type} ${auth.secret("credentials")}`;
  });
  const bearer = f.secret("bearer_token");
  return basic ?? other ?? (bearer === "" ? undefined : `Bearer ${bearer}`);
}

function readHeaders(c: LoadContext, f: Fields): Record<string, string> {
  const headers: Record<string, string> = {};
  f.inner("http_headers", "http_headers", (all) => {
    for (const name of all.keys()) {
      headers[name.toLowerCase()] =
        all.inner(name, `header ${name}`, (header) => {
          const values = [...header.strings("values"), ...header.strings("secrets")];
          markSecrets(c, header.nodesOf("secrets"));
          for (const [i, file] of header.strings("files").entries())
            values.push(readSecretFile(c, header.nodesOf("files")[i], file));
          return values.join(", ");
        }) ?? "";
    }
  });
  return headers;
}

/** TLS and proxy, which OAuth 2 has of its own too. */
function readTransport(f: Fields): Pick<HttpConfig, "tls" | "proxy"> {
  const tls = readTls(f);
  const proxy = readProxy(f);
  return { ...(tls === undefined ? {} : { tls }), ...(proxy === undefined ? {} : { proxy }) };
}

function readProxy(f: Fields): HttpConfig["proxy"] {
  const url = f.url("proxy_url");
  const not = f.string("no_proxy");
  const fromEnvironment = f.boolean("proxy_from_environment", false);
  if (f.has("proxy_connect_header")) f.problem("proxy_connect_header", "proxy_connect_header is not supported");
  if (fromEnvironment && url !== "")
    f.problem("proxy_url", "if proxy_from_environment is configured, proxy_url must not be configured");
  if (fromEnvironment && not !== "")
    f.problem("no_proxy", "if proxy_from_environment is configured, no_proxy must not be configured");
  if (url === "" && not !== "") f.problem("no_proxy", "if no_proxy is configured, proxy_url must also be configured");
  if (fromEnvironment) return environmentProxy(process.env);
  return url === "" ? undefined : { HTTP_PROXY: url, HTTPS_PROXY: url, ...(not === "" ? {} : { NO_PROXY: not }) };
}

function environmentProxy(env: NodeJS.ProcessEnv): NonNullable<HttpConfig["proxy"]> {
  const [http, https, not] = ["http_proxy", "https_proxy", "no_proxy"].map((k) => env[k] ?? env[k.toUpperCase()]);
  return {
    ...(http === undefined ? {} : { HTTP_PROXY: http }),
    ...(https === undefined ? {} : { HTTPS_PROXY: https }),
    ...(not === undefined ? {} : { NO_PROXY: not }),
  };
}

const TLS_VERSIONS = { TLS10: "TLSv1", TLS11: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3" } as const;
const TLS_NAMES = ["TLS10", "TLS11", "TLS12", "TLS13"] as const;

/** The `tls_config` of a section, or what `key` names. */
export function readTls(parent: Fields, key = "tls_config"): TlsConfig | undefined {
  return parent.inner(key, key, (f) => {
    refuseReferences(f, ["ca", "cert", "key"]);
    const ca = f.text("ca");
    const cert = f.text("cert");
    const privateKey = f.secret("key");
    const serverName = f.string("server_name");
    if ((cert === "") !== (privateKey === "")) f.problem(undefined, "a client certificate needs both cert and key");
    const lowest = f.has("min_version") ? f.oneOf("min_version", TLS_NAMES, "TLS12") : undefined;
    const highest = f.has("max_version") ? f.oneOf("max_version", TLS_NAMES, "TLS13") : undefined;
    return {
      insecureSkipVerify: f.boolean("insecure_skip_verify", false),
      ...(ca === "" ? {} : { ca }),
      ...(cert === "" ? {} : { cert }),
      ...(privateKey === "" ? {} : { key: privateKey }),
      ...(serverName === "" ? {} : { serverName }),
      ...(lowest === undefined ? {} : { minVersion: TLS_VERSIONS[lowest] }),
      ...(highest === undefined ? {} : { maxVersion: TLS_VERSIONS[highest] }),
    };
  });
}

/** Of the grant with a signed token, which is not built in. */
const JWT_GRANT = [
  "client_certificate_key_id",
  "client_certificate_key",
  "client_certificate_key_file",
  "client_certificate_key_ref",
  "signature_algorithm",
  "iss",
  "audience",
  "claims",
];

function readOAuth2(c: LoadContext, f: Fields): OAuth2Config {
  refuseReferences(f, ["client_secret"]);
  const grant = f.string("grant_type");
  if (grant !== "" && grant !== "client_credentials")
    f.problem("grant_type", `grant_type ${JSON.stringify(grant)} is not supported: it is client_credentials`);
  for (const key of JWT_GRANT)
    if (f.has(key)) f.problem(key, `${key} is not supported: grant_type is client_credentials`);
  const clientId = f.string("client_id");
  const clientSecret = f.secret("client_secret");
  const tokenUrl = f.url("token_url");
  if (clientId === "") f.problem(undefined, "oauth2 client_id must be configured");
  if (clientSecret === "") f.problem(undefined, "oauth2 client_secret or client_secret_file must be configured");
  if (tokenUrl === "") f.problem(undefined, "oauth2 token_url must be configured");
  return {
    clientId,
    clientSecret,
    tokenUrl,
    scopes: f.strings("scopes"),
    endpointParams: f.stringMap("endpoint_params"),
    http: { ...readTransport(f), headers: readHeaders(c, f), followRedirects: true },
  };
}
