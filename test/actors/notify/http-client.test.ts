import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer as createHttp } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { integration, send } from "./fixtures.ts";
import { type ProviderServer, providerServer } from "./provider-server.ts";

let server: ProviderServer;
beforeEach(async () => {
  server = await providerServer();
});
afterEach(() => server.close());

const hook = (http: string, url = `${server.url}/x`, files = {}) =>
  integration(`webhook_configs: [{url: "${url}", http_config: ${http}}]`, "{}", files);

describe("http_config", () => {
  it("follows redirects as Go does, unless told not to", async () => {
    const redirect = (status: number) => (got: { path: string }) =>
      got.path === "/x" ? { status, headers: { location: "/y" } } : undefined;
    server.answer = redirect(307);
    expect(await send(hook("{}"))).toEqual({ ok: true });
    expect(server.got.map((g) => [g.method, g.path, g.text !== ""])).toEqual([
      ["POST", "/x", true],
      ["POST", "/y", true],
    ]);
    server.answer = redirect(302);
    await send(hook("{}"));
    expect(server.got.at(-1)).toMatchObject({ method: "GET", path: "/y", text: "" });
    expect(await send(hook("{follow_redirects: false}"))).toMatchObject({
      ok: false,
      reason: "unexpected status code 302: ok",
    });
    server.answer = () => ({ status: 307, headers: { location: "/x" } });
    expect(await send(hook("{}"))).toMatchObject({ reason: "stopped after 10 redirects" });
  });

  it("does not show credentials to another host", async () => {
    const other = await providerServer();
    onTestFinished(() => other.close());
    server.answer = () => ({ status: 307, headers: { location: `${other.url}/y` } });
    await send(hook("{authorization: {credentials_file: c}}", undefined, { c: "secret\n" }));
    expect(server.got[0]?.headers.authorization).toBe("Bearer secret");
    expect(other.got[0]?.headers).not.toHaveProperty("authorization");
  });

  it("adds headers", async () => {
    await send(
      hook("{http_headers: {X-A: {values: [a, b]}, X-B: {secrets: [s], files: [f]}}}", undefined, { f: "file" }),
    );
    expect(server.got[0]?.headers).toMatchObject({ "x-a": "a, b", "x-b": "s, file" });
  });

  it("gives up after its timeout", async () => {
    const silent = createHttp(() => {}).listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => {
      silent.closeAllConnections();
      silent.close();
    });
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const config = integration(`webhook_configs: [{url: "${url}", timeout: 50ms}]`);
    expect(await send(config)).toEqual({ ok: false, retry: true, reason: "no answer within 50 ms" });
  });

  it("sends through a proxy, but not to what no_proxy names", async () => {
    const proxy = await providerServer();
    onTestFinished(() => proxy.close());
    await send(hook(`{proxy_url: "${proxy.url}"}`, "http://elsewhere.test/x"));
    expect(proxy.got[0]).toMatchObject({ method: "POST", path: "/x", headers: { host: "elsewhere.test" } });
    await send(hook(`{proxy_url: "${proxy.url}", no_proxy: "127.0.0.1"}`));
    expect([proxy.got.length, server.got.length]).toEqual([1, 1]);
  });

  it("fetches a token with OAuth 2 once, and anew when it is refused", async () => {
    let tokens = 0;
    server.answer = (got) => {
      if (got.path === "/token")
        return { body: { access_token: `t${++tokens}`, token_type: "bearer", expires_in: 3600 } };
      return got.headers.authorization === "Bearer t1" && server.got.length > 4 ? { status: 401 } : undefined;
    };
    const config = hook(
      `{oauth2: {client_id: id, client_secret: s/x, token_url: "${server.url}/token", scopes: [a, b], endpoint_params: {audience: z}}}`,
    );
    await send(config);
    await send(config);
    expect(server.got.map((g) => g.path)).toEqual(["/token", "/x", "/x"]);
    expect(server.got[0]?.headers.authorization).toBe(`Basic ${btoa("id:s%2Fx")}`);
    expect(Object.fromEntries(new URLSearchParams(server.got[0]?.text))).toEqual({
      grant_type: "client_credentials",
      scope: "a b",
      audience: "z",
    });
    await send(config);
    expect(await send(config)).toMatchObject({ ok: false });
    expect(await send(config)).toEqual({ ok: true });
    expect(tokens).toBe(2);
    server.answer = () => ({ status: 400, body: { error: "invalid_client" } });
    expect(
      await send(hook(`{oauth2: {client_id: i, client_secret: s, token_url: "${server.url}/token"}}`)),
    ).toMatchObject({
      ok: false,
      reason: expect.stringContaining("invalid_client"),
    });
  });
});

const noOpenssl = spawnSync("openssl", ["version"]).status !== 0;

describe.skipIf(noOpenssl)(`https${noOpenssl ? " (openssl is not installed)" : ""}`, () => {
  it("checks the server's certificate, shows its own, and reaches it through a proxy", async () => {
    const dir = mkdtempSync(join(tmpdir(), "tocsin-tls-"));
    const make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=hook.test".split(
      " ",
    );
    const names = ["-addext", "subjectAltName=DNS:hook.test", "-keyout", "key.pem", "-out", "cert.pem"];
    execFileSync("openssl", [...make, ...names], { cwd: dir, stdio: "ignore" });
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => readFileSync(join(dir, name), "utf8")) as [
      string,
      string,
    ];
    const clients: boolean[] = [];
    const secure = createHttps(
      { key, cert, ca: cert, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        clients.push((request.socket as TLSSocket).authorized);
        request.resume().on("end", () => response.end("ok"));
      },
    ).listen(0, "127.0.0.1");
    await once(secure, "listening");
    const { port } = secure.address() as AddressInfo;
    const tunnels: string[] = [];
    const proxy = createHttp();
    proxy.on("connect", (request, socket: Socket) => {
      tunnels.push(request.url ?? "");
      const through = connect(port, "127.0.0.1", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
      through.pipe(socket).pipe(through);
      for (const end of [socket, through]) end.on("error", () => {});
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    onTestFinished(() => {
      for (const s of [secure, proxy]) s.closeAllConnections();
      secure.close();
      proxy.close();
    });
    const files = { key, cert };
    const url = `https://127.0.0.1:${port}/x`;
    const known = "ca_file: cert, server_name: hook.test";
    expect(await send(hook("{}", url))).toMatchObject({
      ok: false,
      retry: true,
      reason: expect.stringMatching(/SELF_SIGNED/),
    });
    expect(await send(hook(`{tls_config: {${known}}}`, url, files))).toEqual({ ok: true });
    expect(await send(hook(`{tls_config: {${known}, cert_file: cert, key_file: key}}`, url, files))).toEqual({
      ok: true,
    });
    expect(await send(hook("{tls_config: {insecure_skip_verify: true}}", url))).toEqual({ ok: true });
    expect(clients).toEqual([false, true, false]);
    const proxied = `{tls_config: {${known}}, proxy_url: "http://127.0.0.1:${(proxy.address() as AddressInfo).port}"}`;
    expect(await send(hook(proxied, "https://hook.test/x", files))).toEqual({ ok: true });
    expect(tunnels).toEqual(["hook.test:443"]);
  });
});
