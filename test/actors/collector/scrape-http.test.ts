import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { contentTypeProblem, makeScrapeClient, type ScrapeClient } from "../../../src/actors/collector/scrape-http.ts";
import { job } from "./jobs.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A real HTTP server; its URL. */
async function serve(handler: Handler): Promise<string> {
  const server: Server = createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that answers every connection with these bytes and then closes it. */
async function serveRaw(bytes: string): Promise<string> {
  const server = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(bytes));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function client(keys = ""): ScrapeClient {
  const made = makeScrapeClient(job(keys), "Tocsin/test");
  cleanups.push(() => made.close());
  return made;
}

const never = new AbortController().signal;
const TEXT = { "content-type": "text/plain; version=0.0.4" };

/** What a scrape gives: the body's text, or the error. */
async function scrape(url: string, keys = "", timeoutMs = 5000): Promise<string> {
  const fetched = client(keys).fetch(url, timeoutMs, never);
  return fetched.then(
    (body) => Buffer.from(body.bytes).toString(),
    (error: Error) => `error: ${error.message}`,
  );
}

describe("a target that behaves", () => {
  it("gets the headers that say what is wanted", async () => {
    let seen: IncomingMessage | undefined;
    const url = await serve((request, response) => {
      seen = request;
      response.writeHead(200, TEXT).end("a 1\n");
    });
    const keys = "basic_auth: {username: u, password: 'p:w'}, http_headers: {X-Scope-OrgID: {values: [t1, t2]}}";
    expect(await scrape(`${url}/metrics?x=1`, keys)).toBe("a 1\n");
    expect(seen?.url).toBe("/metrics?x=1");
    expect(seen?.headers).toMatchObject({
      "user-agent": "Tocsin/test",
      "accept-encoding": "gzip",
      "x-prometheus-scrape-timeout-seconds": "5",
      "x-scope-orgid": "t1, t2",
      authorization: `Basic ${Buffer.from("u:p:w").toString("base64")}`,
    });
    expect(seen?.headers.accept).toContain("text/plain;version=0.0.4");
  });

  it("sends gzip, in one piece or many", async () => {
    const text = "metric_with_a_name 1\n".repeat(50_000);
    const zipped = gzipSync(text);
    const url = await serve((_, response) => {
      response.writeHead(200, { ...TEXT, "content-encoding": "gzip" });
      for (let at = 0; at < zipped.length; at += 500) response.write(zipped.subarray(at, at + 500));
      response.end();
    });
    expect(await scrape(url)).toBe(text);
  });

  it("is asked for an uncompressed body when the job says so", async () => {
    const url = await serve((request, response) =>
      response.writeHead(200, TEXT).end(String(request.headers["accept-encoding"])),
    );
    expect(await scrape(url, "enable_compression: false")).toBe("identity");
  });

  it("keeps its connection from scrape to scrape", async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      response.writeHead(200, TEXT).end("a 1\n");
    });
    const one = client();
    for (let i = 0; i < 5; i++) await one.fetch(url, 5000, never);
    expect(ports.size).toBe(1);
  });

  it("may close a kept connection just when the next scrape takes it up", async () => {
    let connections = 0;
    const server = createTcpServer((socket) => {
      connections++;
      let requests = 0;
      socket.on("error", () => {});
      socket.on("data", () => {
        if (++requests === 1)
          socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na 1\n");
        else socket.resetAndDestroy();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => void server.close());
    const one = client();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (let i = 0; i < 3; i++) expect((await one.fetch(url, 5000, never)).bytes.length).toBe(4);
    expect(connections).toBe(3);
  });

  it("is followed through redirects, but gets no credentials on another host", async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(200, TEXT).end("moved 1\n");
    });
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      if (request.url === "/metrics") response.writeHead(302, { location: "/there" }).end();
      else response.writeHead(307, { location: other }).end();
    });
    expect(await scrape(`${url}/metrics`, "bearer_token: t")).toBe("moved 1\n");
    expect(seen).toEqual(["Bearer t", "Bearer t", undefined]);
  });
});

describe("a target that misbehaves", () => {
  it("that is not there", async () => {
    const url = await serve(() => {});
    await cleanups.pop()?.();
    expect(await scrape(url)).toMatch(/^error: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
    expect(await scrape("http://no-such-host.invalid:1/metrics")).toMatch(/^error: getaddrinfo/);
  });

  it("that never answers, or stops in the middle, is given up after the timeout", async () => {
    const silent = await serve(() => {});
    expect(await scrape(silent, "", 50)).toBe("error: no full answer within the scrape_timeout of 0.05s");
    const slow = await serve((_, response) => void response.writeHead(200, TEXT).write("a 1\n"));
    expect(await scrape(slow, "", 100)).toBe("error: no full answer within the scrape_timeout of 0.1s");
  });

  it("that drips its answer does not get around the timeout", async () => {
    const url = await serve((_, response) => {
      response.writeHead(200, TEXT);
      const timer = setInterval(() => response.write("a 1\n"), 10);
      response.on("close", () => clearInterval(timer));
    });
    expect(await scrape(url, "", 150)).toContain("scrape_timeout");
  });

  it.each([500, 404, 204, 301])("status %i", async (status) => {
    const url = await serve((_, response) => void response.writeHead(status).end());
    expect(await scrape(url)).toMatch(new RegExp(`^error: server returned HTTP status ${status} \\w+`));
  });

  it("an endless error page is not read", async () => {
    const url = await serve((_, response) => {
      response.writeHead(500);
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on("drain", more);
      more();
    });
    expect(await scrape(url)).toBe("error: server returned HTTP status 500 Internal Server Error");
  });

  it("a redirect loop, a redirect to nowhere, and one that must not be followed", async () => {
    const loop = await serve((_, response) => void response.writeHead(302, { location: "/again" }).end());
    expect(await scrape(loop)).toBe("error: stopped after 10 redirects");
    expect(await scrape(loop, "follow_redirects: false")).toBe("error: server returned HTTP status 302 Found");
    const file = await serve((_, response) => void response.writeHead(302, { location: "file:///etc/passwd" }).end());
    expect(await scrape(file)).toContain("which is not http or https");
  });

  it("a body that is too large, also when it is small on the wire", async () => {
    const plain = await serve((_, response) => void response.writeHead(200, TEXT).end("x".repeat(5000)));
    expect(await scrape(plain, "body_size_limit: 4KB")).toBe(
      "error: body is larger than the body_size_limit of 4096 bytes",
    );
    expect(await scrape(plain, "body_size_limit: 0")).toHaveLength(5000);
    const bomb = gzipSync(Buffer.alloc(50 * 2 ** 20));
    const zipped = await serve((_, response) => {
      response.writeHead(200, { ...TEXT, "content-encoding": "gzip" }).end(bomb);
    });
    expect(await scrape(zipped, "body_size_limit: 1MB")).toContain("body_size_limit of 1048576 bytes");
  });

  it("a body that breaks off", async () => {
    const cut = await serve((_, response) => {
      response.writeHead(200, { ...TEXT, "content-length": "100" });
      response.write("a 1\n", () => response.destroy());
    });
    expect(await scrape(cut)).toBe("error: connection closed in the middle of the response");
    const zipped = gzipSync("a 1\n".repeat(1000));
    const half = await serve((_, response) => {
      response.writeHead(200, { ...TEXT, "content-encoding": "gzip" }).end(zipped.subarray(0, zipped.length / 2));
    });
    expect(await scrape(half)).toMatch(/^error: gzip body cannot be decompressed: /);
    const wrong = await serve((_, response) => {
      response.writeHead(200, { ...TEXT, "content-encoding": "gzip" }).end("not gzip at all");
    });
    expect(await scrape(wrong)).toMatch(/^error: gzip body cannot be decompressed: /);
    const unknown = await serve((_, response) => {
      response.writeHead(200, { ...TEXT, "content-encoding": "br" }).end("x");
    });
    expect(await scrape(unknown)).toBe('error: server used the unknown Content-Encoding "br"');
  });

  it("that speaks no HTTP, or closes without a word", async () => {
    expect(await scrape(await serveRaw("SSH-2.0-OpenSSH_9.2\r\n"))).toMatch(/^error: not an HTTP response: /);
    expect(await scrape(await serveRaw(""))).toMatch(/^error: (connection closed|socket hang up)/);
  });

  it("is left at once when the scrape is called off", async () => {
    const url = await serve(() => {});
    const off = new AbortController();
    const fetched = client().fetch(url, 60_000, off.signal);
    off.abort();
    await expect(fetched).rejects.toThrow();
  });
});

const noOpenssl = spawnSync("openssl", ["version"]).status !== 0;

describe.skipIf(noOpenssl)(`https${noOpenssl ? " (openssl is not installed)" : ""}`, () => {
  it("checks the server's certificate and shows its own", async () => {
    const dir = mkdtempSync(join(tmpdir(), "tocsin-tls-"));
    cleanups.push(() => rmSync(dir, { recursive: true }));
    const make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const subject = ["-subj", "/CN=db.test", "-addext", "subjectAltName=DNS:db.test"];
    execFileSync("openssl", [...make, ...subject, "-keyout", "key.pem", "-out", "cert.pem"], {
      cwd: dir,
      stdio: "ignore",
    });
    const [key, cert] = [readFileSync(join(dir, "key.pem"), "utf8"), readFileSync(join(dir, "cert.pem"), "utf8")];
    const server = createTlsServer(
      { key, cert, ca: cert, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        const authorized = (request.socket as TLSSocket).authorized;
        response.writeHead(200, TEXT).end(`client_known ${authorized ? 1 : 0}\n`);
      },
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    cleanups.push(() => void server.close());
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
    const pem = (text: string) => JSON.stringify(text);
    expect(await scrape(url)).toBe("error: self-signed certificate (tls_config names certificates to trust)");
    expect(await scrape(url, "tls_config: {insecure_skip_verify: true}")).toBe("client_known 0\n");
    expect(await scrape(url, `tls_config: {ca: ${pem(cert)}}`)).toContain("does not match certificate's altnames");
    expect(await scrape(url, `tls_config: {ca: ${pem(cert)}, server_name: db.test}`)).toBe("client_known 0\n");
    const own = `cert: ${pem(cert)}, key: ${pem(key)}`;
    expect(await scrape(url, `tls_config: {ca: ${pem(cert)}, server_name: db.test, ${own}}`)).toBe("client_known 1\n");
    const old = `tls_config: {insecure_skip_verify: true, max_version: TLS11}`;
    expect(await scrape(url, old)).toMatch(/^error: /);
  });
});

describe("a Content-Type", () => {
  it.each(["text/plain", "text/plain; version=0.0.4; charset=utf-8", "TEXT/PLAIN;version=1.0.0"])(
    "%s is read",
    (type) => {
      expect(contentTypeProblem(type, false)).toBeUndefined();
    },
  );

  it.each([
    ["", "no Content-Type"],
    ["text/html", "fallback_scrape_protocol"],
    ["application/json", "fallback_scrape_protocol"],
  ])("%j is only read where the job says so", (type, problem) => {
    expect(contentTypeProblem(type, false)).toContain(problem);
    expect(contentTypeProblem(type, true)).toBeUndefined();
  });

  it("of another exposition format is not supported", () => {
    expect(contentTypeProblem("application/openmetrics-text; version=1.0.0", false)).toContain("not supported");
  });
});
