import { spawn } from "node:child_process";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";
import { connect as connectLegacy, headers as legacyHeaders } from "nats";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { obtainNatsServer } from "../../src/streams/nats/obtain-server.ts";
import { freePort, killLeftOvers, push, query, startTocsin, tempDir, until } from "./tocsin.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});
afterAll(killLeftOvers);

/** A nats-server that is not Tocsin's. */
async function startNats(args: readonly string[], port: number): Promise<void> {
  const { binary } = await obtainNatsServer();
  const child = spawn(binary, ["-a", "127.0.0.1", "-p", String(port), ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  stops.push(() => child.kill("SIGKILL"));
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`nats-server ended with ${code}`)));
    child.stderr.setEncoding("utf8");
    child.stderr.on("data", (text: string) => {
      if (text.includes("Server is ready")) resolve();
    });
  });
}

describe("the bus", () => {
  it("waits for a NATS server that is not there, says so, and goes on when it comes", async () => {
    const port = await freePort();
    const tocsin = await startTocsin({ args: ["--nats", `nats://127.0.0.1:${port}`], wait: false });
    await until(() => tocsin.output().includes("waiting for it"), "it says that it waits");
    expect(tocsin.output()).toContain(`no NATS server answers at nats://127.0.0.1:${port}`);
    await startNats(["-js", "-sd", join(tempDir(), "js")], port);
    await until(async () => (await fetch(`${tocsin.url}/-/ready`)).ok, "it is ready");
    expect((await push(tocsin.url, [{ labels: { __name__: "x" }, samples: [[Date.now(), 1]] }])).status).toBe(204);
    expect(await tocsin.stop()).toBe(0);
  });

  it("refuses a server without JetStream with one clear line", async () => {
    const port = await freePort();
    await startNats([], port);
    const tocsin = await startTocsin({ args: ["--nats", `nats://127.0.0.1:${port}`], wait: false });
    expect(await tocsin.ended).toBe(1);
    const fatal = tocsin
      .output()
      .split("\n")
      .filter((line) => line.includes("fatal"));
    expect(fatal).toHaveLength(1);
    expect(fatal[0]).toContain("runs without JetStream");
  });

  it("takes what agents publish, with the current client and with the legacy one", async () => {
    const tocsin = await startTocsin();
    const servers = /answers on nats:\/\/([\d.:]+)/.exec(tocsin.output())?.[1];
    if (servers === undefined) throw new Error(`no bus address in the output: ${tocsin.output()}`);

    const current = await connect({ servers });
    const h = headers();
    h.set("Content-Type", "text/plain");
    const ack = await jetstream(current).publish("tocsin.ingest.default", 'agent_up{client="current"} 1\n', {
      headers: h,
    });
    expect(ack.stream).toBe("INGEST");
    await current.close();

    const legacy = await connectLegacy({ servers });
    const lh = legacyHeaders();
    lh.set("Content-Type", "application/json");
    const body = JSON.stringify({
      series: [{ labels: { __name__: "agent_up", client: "legacy" }, samples: [[Date.now(), 2]] }],
    });
    await legacy.jetstream().publish("tocsin.ingest.team-a", body, { headers: lh });
    await legacy.close();

    await until(async () => (await query(tocsin.url, "agent_up")).length === 1, "the current client's sample");
    const found = await query(tocsin.url, "agent_up");
    expect(found[0]).toMatchObject({ metric: { client: "current" }, value: [expect.any(Number), "1"] });
    const tenant = { "x-scope-orgid": "team-a" };
    await until(
      async () => (await query(tocsin.url, "agent_up", undefined, tenant)).length === 1,
      "the legacy client's sample, in its tenant",
    );
    await tocsin.stop();
  });
});
