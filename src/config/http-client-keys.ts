import { boolean, nonEmpty, oneOf, path, string } from "./schema/scalars.ts";
import { defaulted, list, map, object, optional, refused } from "./schema/schema.ts";

/** How an HTTP client proves who it is and checks the server: shared by everything that fetches over HTTP. */
const tlsVersion = oneOf("TLS10", "TLS11", "TLS12", "TLS13");

export const tlsSchema = object("TLS section", {
  ca: optional(string, "Certificates to trust, PEM.", "the system's"),
  ca_file: optional(path, "File of certificates to trust, PEM."),
  cert: optional(string, "Client certificate, PEM."),
  cert_file: optional(path, "File of the client certificate, PEM."),
  key: optional(string, "Client key, PEM."),
  key_file: optional(path, "File of the client key, PEM."),
  server_name: optional(nonEmpty, "Name that the server's certificate must have.", "the host of the URL"),
  insecure_skip_verify: defaulted(boolean, false, "Accept any certificate."),
  min_version: optional(tlsVersion, "Lowest TLS version."),
  max_version: optional(tlsVersion, "Highest TLS version."),
});

export const basicAuthSchema = object(
  "basic_auth section",
  {
    username: optional(string, "User name."),
    username_file: optional(path, "File that holds the user name."),
    password: optional(string, "Password."),
    password_file: optional(path, "File that holds the password."),
  },
  (auth, report) => {
    if (auth.username !== undefined && auth.username_file !== undefined) {
      report("username_file", "give username or username_file, not both");
    }
    if (auth.password !== undefined && auth.password_file !== undefined) {
      report("password_file", "give password or password_file, not both");
    }
  },
);

export const authorizationSchema = object(
  "authorization section",
  {
    type: defaulted(nonEmpty, "Bearer", "Scheme of the Authorization header."),
    credentials: optional(string, "Credentials."),
    credentials_file: optional(path, "File that holds the credentials."),
  },
  (auth, report) => {
    if (auth.credentials !== undefined && auth.credentials_file !== undefined) {
      report("credentials_file", "give credentials or credentials_file, not both");
    }
    if (auth.type.toLowerCase() === "basic") report("type", "use basic_auth for the scheme Basic");
  },
);

const headerValues = object("header", {
  values: defaulted(list(string), [], "Values of the header; several are joined by a comma."),
  secrets: defaulted(list(string), [], "Values that are kept out of any output."),
  files: defaulted(list(path), [], "Files that hold values."),
});

export const httpClientKeys = {
  basic_auth: optional(basicAuthSchema, "User name and password."),
  authorization: optional(authorizationSchema, "Authorization header."),
  bearer_token: optional(string, "The same as `authorization` with this credential."),
  bearer_token_file: optional(path, "The same as `authorization` with this file."),
  oauth2: refused("OAuth 2 is not built in; use authorization with a token file"),
  tls_config: optional(tlsSchema, "Certificates for https."),
  follow_redirects: defaulted(boolean, true, "Follow redirects, 10 at most."),
  enable_http2: optional(boolean, "Accepted; HTTP/1.1 is used.", ""),
  proxy_url: refused("HTTP proxies are not built in"),
  proxy_connect_header: refused("HTTP proxies are not built in"),
  proxy_from_environment: refused("HTTP proxies are not built in"),
  no_proxy: refused("HTTP proxies are not built in"),
  http_headers: defaulted(map(headerValues, headerNameProblem), {}, "Headers added to every request."),
};

const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "authorization",
  "connection",
  "content-length",
  "content-encoding",
  "host",
  "transfer-encoding",
  "user-agent",
]);

function headerNameProblem(name: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return `${JSON.stringify(name)} is no header name`;
  if (RESERVED_HEADERS.has(name.toLowerCase())) return `${name} is set by Tocsin and cannot be set here`;
  return undefined;
}
