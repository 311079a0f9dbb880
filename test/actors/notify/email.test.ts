import { execFileSync, spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { groupHash } from "../../../src/actors/notify/group-hash.ts";
import { integration, notification, RESOLVED, send, told } from "./fixtures.ts";
import { readMail, type SmtpBehaviour, type SmtpServer, smtpServer } from "./provider-server.ts";

async function server(behaviour: SmtpBehaviour = {}): Promise<SmtpServer> {
  const smtp = await smtpServer(behaviour);
  onTestFinished(() => smtp.close());
  return smtp;
}

const config = (smtp: SmtpServer, more = "", global = "") =>
  integration(
    `email_configs: [{to: "a@x.test, B <b@x.test>"${more}}]`,
    `{smtp_smarthost: "127.0.0.1:${smtp.port}", smtp_from: "T <from@x.test>", smtp_require_tls: false, smtp_hello: me.test${global}}`,
  );

it("sends a mail to every address, as HTML and text", async () => {
  const smtp = await server();
  const sent = await send(
    config(smtp, ', text: "Zürich {{ .Status }}", headers: {subject: "Ärger {{ .Status }}", x-own: "a {{ .Status }}"}'),
    notification({ alerts: [told({ alertname: "Fire", severity: "page" }, { annotations: { text: "<script>&" } })] }),
  );
  expect(sent).toEqual({ ok: true });
  const [mail] = smtp.mails;
  expect(mail).toMatchObject({ from: "from@x.test", to: ["a@x.test", "b@x.test"], hello: "me.test", auth: [] });
  const { headers, parts } = readMail(mail?.raw ?? "");
  expect(headers).toMatchObject({ subject: "Ärger firing", "x-own": "a firing", to: "a@x.test, B <b@x.test>" });
  expect(headers["message-id"]).toMatch(/^<k1@.+>$/);
  expect(parts["text/plain"]).toBe("Zürich firing");
  const html = parts["text/html"] ?? "";
  expect(html).toContain("text = &lt;script&gt;&amp;");
  expect(html).toContain("1 alert for");
  expect(html).toContain('href="http://tocsin/#/alerts?receiver=r"');
  expect(html).not.toContain("Resolved");
});

it("puts the mails of a group into one thread", async () => {
  const smtp = await server();
  const threaded = config(smtp, ", threading: {enabled: true, thread_by_date: none}");
  await send(threaded);
  await send(threaded, notification({ ...RESOLVED, key: "k2" }));
  const root = `<alert-${groupHash(notification().groupKey).slice(0, 16)}-@alertmanager>`;
  const [first, second] = smtp.mails.map((m) => readMail(m.raw).headers);
  expect(first).toMatchObject({ references: root, "in-reply-to": root });
  expect(second).toMatchObject({ references: root, "in-reply-to": root });
  expect(second?.["message-id"]).not.toBe(first?.["message-id"]);
  expect(readMail(smtp.mails[1]?.raw ?? "").parts["text/html"]).toContain("[1] Resolved");
});

it("proves who it is as the server asks", async () => {
  const b64 = (text: string) => Buffer.from(text).toString("base64");
  const user = ", auth_username: u";
  const plain = await server({ auth: "PLAIN LOGIN" });
  await send(config(plain, `${user}, auth_password: p`));
  expect(plain.mails[0]?.auth).toEqual([`PLAIN ${b64("\0u\0p")}`]);
  await send(config(plain, `${user}, auth_password: p, auth_identity: i`));
  expect(plain.mails[1]?.auth).toEqual([`PLAIN ${b64("i\0u\0p")}`]);
  const login = await server({ auth: "LOGIN" });
  await send(config(login, "", ", smtp_auth_username: u, smtp_auth_password: p"));
  expect(login.mails[0]?.auth).toEqual(["LOGIN", b64("u"), b64("p")]);
  const cram = await server({ auth: "CRAM-MD5" });
  await send(config(cram, `${user}, auth_secret: s`));
  const digest = createHmac("md5", "s").update("<1@test>").digest("hex");
  expect(cram.mails[0]?.auth).toEqual(["CRAM-MD5", b64(`u ${digest}`)]);
});

it("tells what may go better later from what will not", async () => {
  const full = await server({ reply: (c) => (c === "." ? "452 mailbox full" : undefined) });
  expect(await send(config(full))).toMatchObject({ ok: false, retry: true, reason: expect.stringContaining("452") });
  const refusing = await server({ reply: (c) => (c.startsWith("MAIL") ? "550 not you" : undefined) });
  expect(await send(config(refusing))).toMatchObject({ ok: false, retry: false });
  const one = await server({ reply: (c) => (c.startsWith("RCPT TO:<b@") ? "550 no such user" : undefined) });
  expect(await send(config(one))).toEqual({
    ok: false,
    retry: false,
    reason: "the server refused b@x.test; the others have got it",
  });
  const closed = await server();
  await closed.close();
  expect(await send(config(closed))).toMatchObject({ ok: false, retry: true });
});

it("sends nothing unencrypted unless told to", async () => {
  const smtp = await server();
  const attempt = await send(config(smtp, ", require_tls: true"));
  expect(attempt).toMatchObject({ ok: false, reason: expect.stringMatching(/STARTTLS|TLS/) });
  expect(smtp.mails).toEqual([]);
});

it("sends the page when a template fails, with the error in it", async () => {
  const smtp = await server();
  expect(await send(config(smtp, ', html: "{{ index .Alerts 7 }}"'))).toEqual({ ok: true });
  expect(readMail(smtp.mails[0]?.raw ?? "").parts["text/html"]).toContain("&lt;error expanding template");
  expect(await send(config(smtp, ', from: "{{ index .Alerts 7 }}"'))).toMatchObject({ ok: false, retry: false });
});

it("a value cannot add a header", async () => {
  const smtp = await server();
  const bad = notification({
    alerts: [told({ alertname: "Fire" }, { annotations: { text: "x\r\nBcc: evil@x.test" } })],
  });
  await send(config(smtp, ', headers: {Subject: "{{ .CommonAnnotations.text }}"}'), bad);
  const { headers } = readMail(smtp.mails[0]?.raw ?? "");
  expect(headers.subject).toBe("x Bcc: evil@x.test");
  expect(headers).not.toHaveProperty("bcc");
});

const noOpenssl = spawnSync("openssl", ["version"]).status !== 0;

it.skipIf(noOpenssl)(`encrypts, and checks the server${noOpenssl ? " (openssl is not installed)" : ""}`, async () => {
  const dir = mkdtempSync(join(tmpdir(), "tocsin-smtp-"));
  const make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=mail.test".split(
    " ",
  );
  const names = ["-addext", "subjectAltName=DNS:mail.test", "-keyout", "key.pem", "-out", "cert.pem"];
  execFileSync("openssl", [...make, ...names], { cwd: dir, stdio: "ignore" });
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => readFileSync(join(dir, name), "utf8")) as [string, string];
  const trusting = `, require_tls: true, tls_config: {ca_file: ${join(dir, "cert.pem")}, server_name: mail.test}`;
  for (const implicit of [false, true]) {
    const smtp = await server({ tls: { key, cert, implicit }, auth: "PLAIN" });
    const more = `${implicit ? ", force_implicit_tls: true" : ""}, auth_username: u, auth_password: p`;
    expect(await send(config(smtp, `${more}, require_tls: true`))).toMatchObject({ ok: false, retry: true });
    expect(smtp.mails).toEqual([]);
    expect(await send(config(smtp, more + trusting))).toEqual({ ok: true });
    expect(smtp.mails[0]?.auth).toEqual([`PLAIN ${Buffer.from("\0u\0p").toString("base64")}`]);
  }
});
