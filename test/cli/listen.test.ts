import { createServer } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkFree, explainListen, ListenError, parseListenOption, urlOf } from "../../src/cli/listen.ts";
import { freePort } from "../support/free-port.ts";

describe("--listen", () => {
  it.each([
    ["127.0.0.1:9090", "127.0.0.1", 9090, "http://127.0.0.1:9090"],
    ["localhost:0", "localhost", 0, "http://localhost:0"],
    ["metrics.example.org:65535", "metrics.example.org", 65535, "http://metrics.example.org:65535"],
    [":9090", "0.0.0.0", 9090, "http://localhost:9090"],
    ["0.0.0.0:1", "0.0.0.0", 1, "http://localhost:1"],
    ["[::]:9090", "::", 9090, "http://localhost:9090"],
    ["[::1]:9090", "::1", 9090, "http://[::1]:9090"],
    ["[::ffff:127.0.0.1]:80", "::ffff:127.0.0.1", 80, "http://[::ffff:127.0.0.1]:80"],
  ])("%s", (text, host, port, url) => {
    expect(parseListenOption(text)).toEqual({ host, port });
    expect(urlOf(parseListenOption(text))).toBe(url);
  });

  it.each([
    "",
    "9090",
    ":",
    "host",
    "host:",
    "host:65536",
    "host:-1",
    "host:1e3",
    "host:80 ",
    "::1:80",
    "[::1]",
    "[x]:1",
    "a b:1",
  ])("refuses %j, and repeats it", (text) => {
    expect(() => parseListenOption(text)).toThrow(ListenError);
    expect(() => parseListenOption(text)).toThrow(`--listen ${JSON.stringify(text)} is not HOST:PORT`);
  });

  it("reads every address that it shows", () => {
    const host = fc.oneof(
      fc.ipV4(),
      fc.domain(),
      fc.ipV6().map((ip) => `[${ip}]`),
    );
    fc.assert(
      fc.property(host, fc.nat(65535), (h, port) => {
        const parsed = parseListenOption(`${h}:${port}`);
        expect(parsed).toEqual({ host: h.replace(/[[\]]/g, ""), port });
        expect(() => new URL(urlOf(parsed))).not.toThrow();
      }),
    );
  });

  it("an address in use is found out beforehand, a free one stays free", async () => {
    const address = { host: "127.0.0.1", port: await freePort() };
    await checkFree(address);
    await checkFree(address);
    const other = createServer();
    await new Promise<void>((up) => other.listen(address, up));
    const line = `127.0.0.1:${address.port} is in use: stop what listens there or choose another address with --listen`;
    await expect(checkFree(address)).rejects.toThrow(new ListenError(line));
    other.close();
  });

  it("an address that this machine does not have is told as such", async () => {
    await expect(checkFree({ host: "192.0.2.1", port: 1 })).rejects.toThrow(
      /^cannot listen on 192.0.2.1:1: .*EADDRNOTAVAIL/,
    );
    const denied = Object.assign(new Error("listen EACCES: permission denied"), { code: "EACCES" });
    expect(explainListen(denied, { host: "::", port: 80 }).message).toBe(`cannot listen on :::80: ${denied.message}`);
  });
});
