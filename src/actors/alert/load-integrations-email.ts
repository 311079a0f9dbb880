import type { EmailConfig } from "./integration-config.ts";
import type { Fields } from "./load-fields.ts";
import { readTls } from "./load-http.ts";
import { type IntegrationInput, standard } from "./load-integration-base.ts";

export function readEmail({ f, global, base }: IntegrationInput): EmailConfig {
  const { smtp } = global;
  const to = f.template("to");
  if (to === "") f.problem(undefined, "missing to address in email config");
  const from = f.template("from") || smtp.from;
  if (from === "") f.problem(undefined, "no global SMTP from set");
  const smarthost = f.string("smarthost") || smtp.smarthost;
  const { host, port } = splitSmarthost(f, smarthost);
  const implicit = f.has("force_implicit_tls") ? f.boolean("force_implicit_tls", false) : smtp.implicitTls;
  const username = f.string("auth_username") || smtp.username;
  const auth = {
    username,
    password: f.secret("auth_password", smtp.password),
    secret: f.secret("auth_secret", smtp.secret),
    identity: f.string("auth_identity") || smtp.identity,
  };
  const headers = readHeaders(f);
  const threading = f.inner("threading", "threading", (t) => {
    const enabled = t.boolean("enabled", false);
    const by = t.oneOf("thread_by_date", ["none", "daily"], "none");
    if (enabled && !t.has("thread_by_date"))
      t.problem(undefined, "threading.thread_by_date must be either 'none' or 'daily'");
    return enabled ? by : undefined;
  });
  for (const name of ["References", "In-Reply-To"]) {
    if (threading !== undefined && Object.hasOwn(headers, name))
      f.problem("headers", `threading.enabled conflicts with a ${name} header`);
  }
  return {
    kind: "email",
    ...base,
    to,
    from,
    host,
    port,
    hello: f.string("hello") || smtp.hello,
    ...(username === "" ? {} : { auth }),
    headers: { Subject: standard("email", "subject"), To: to, From: from, ...headers },
    html: f.template("html", standard("email", "html")),
    text: f.template("text"),
    requireTls: f.boolean("require_tls", smtp.requireTls),
    implicitTls: implicit ?? port === 465,
    tls: readTls(f) ?? smtp.tls ?? { insecureSkipVerify: false },
    ...(threading === undefined ? {} : { threading }),
  };
}

function splitSmarthost(f: Fields, smarthost: string): { host: string; port: number } {
  if (smarthost === "") {
    f.problem(undefined, "no global SMTP smarthost set");
    return { host: "", port: 0 };
  }
  const m = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d+)$/.exec(smarthost);
  if (m === null) f.problem("smarthost", `smarthost must be host:port, not ${JSON.stringify(smarthost)}`);
  return { host: m?.[1] ?? m?.[2] ?? "", port: Number(m?.[3] ?? 0) };
}

/** By canonical name: `message-id` is `Message-Id`. */
function readHeaders(f: Fields): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(f.templateMap("headers"))) {
    const canonical = name.toLowerCase().replace(/(^|-)[a-z]/g, (c) => c.toUpperCase());
    if (Object.hasOwn(out, canonical))
      f.problem("headers", `duplicate header ${JSON.stringify(canonical)} in email config`);
    out[canonical] = value;
  }
  return out;
}
