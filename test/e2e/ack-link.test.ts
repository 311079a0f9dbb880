import { createServer, type Server } from "node:http";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { freePort, killLeftOvers, startTocsin, until } from "./tocsin.ts";

interface Told {
  readonly status: string;
  readonly ackURL: string;
  readonly externalURL: string;
  readonly escalation: string;
  readonly alerts: readonly { readonly generatorURL: string }[];
}

const servers: Server[] = [];
afterEach(() => {
  for (const s of servers.splice(0)) s.close();
});
afterAll(killLeftOvers);

async function listen(server: Server): Promise<number> {
  servers.push(server);
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return port;
}

describe("a page's link behind a proxy", () => {
  it("begins with the external URL, acknowledges by its button alone, and says what is wrong with it", async () => {
    const told: Told[] = [];
    const hook = createServer((request, response) => {
      let body = "";
      request.on("data", (piece) => {
        body += piece;
      });
      request.on("end", () => {
        told.push(JSON.parse(body) as Told);
        response.end();
      });
    });
    const hookPort = await listen(hook);
    const own = await freePort();
    // It takes its path away, as most do.
    const proxy = createServer((request, response) => {
      const onward = `http://127.0.0.1:${own}${(request.url ?? "").replace(/^\/on-call/, "")}`;
      void fetch(onward, { method: request.method ?? "GET" }).then(async (answer) => {
        response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
        response.end(await answer.text());
      });
    });
    const outside = `http://127.0.0.1:${await listen(proxy)}/on-call`;
    const tocsin = await startTocsin({
      port: own,
      args: ["--external-url", `${outside}/`],
      config: `agent: { enabled: false }
external_url: https://the-option-goes-before.example.org
rule_files: [rules.yml]
alertmanager_config_file: am.yml
`,
      files: {
        "rules.yml": "groups: [{ name: g, interval: 1s, rules: [{ alert: Fire, expr: vector(1) }] }]\n",
        "am.yml": `route: { receiver: ann, escalation: ops, group_wait: 0s, group_interval: 1s }
receivers: [{ name: ann, webhook_configs: [{ url: "http://127.0.0.1:${hookPort}/" }] }]
escalations: [{ name: ops, steps: [{ notify: [ann] }], repeat_after: 1s }]
acknowledgement: { link_expires: 1s }
`,
      },
    });
    const state = async (id: string) => {
      const answer = await fetch(`${tocsin.url}/api/v1/escalations/${id}`);
      return ((await answer.json()) as { data: { state: string } }).data.state;
    };
    const look = async (link: string, method = "GET") => {
      const answer = await fetch(link, { method });
      return { status: answer.status, text: await answer.text(), type: answer.headers.get("content-type") };
    };
    await until(() => told.length > 0, "the page");
    const [page] = told as [Told];
    expect(page.externalURL).toBe(outside);
    expect(page.alerts[0]?.generatorURL.startsWith(`${outside}/graph?g0.expr=`)).toBe(true);
    expect(page.ackURL.startsWith(`${outside}/ack/${page.escalation}?`)).toBe(true);

    // A mail program that looks at links, however often, acknowledges nothing.
    for (let i = 0; i < 3; i++) await look(page.ackURL);
    expect((await fetch(page.ackURL, { method: "HEAD" })).status).not.toBe(200);
    expect(await state(page.escalation)).toBe("triggered");

    const refused = async (link: string, reason: string) => {
      for (const method of ["GET", "POST"]) {
        const answer = await look(link, method);
        expect(answer).toMatchObject({ status: 403, type: "text/html; charset=utf-8" });
        expect(answer.text).toContain("Not acknowledged");
        expect(answer.text).toContain(reason);
        expect(answer.text).not.toContain("<script");
      }
    };
    const forged = (change: (url: URL) => void) => {
      const url = new URL(page.ackURL);
      change(url);
      return url.href;
    };
    const notOurs = "the link is not one of this server";
    await refused(
      forged((url) => url.searchParams.set("by", "<script>bob</script>")),
      notOurs,
    );
    await refused(
      forged((url) => url.searchParams.set("expires", "9999999999")),
      notOurs,
    );
    await refused(
      forged((url) => url.searchParams.delete("signature")),
      notOurs,
    );
    await refused(
      forged((url) => {
        url.pathname = url.pathname.replace(page.escalation, "0000000000000000");
      }),
      notOurs,
    );
    await until(async () => (await look(page.ackURL)).status === 403, "the link expires");
    await refused(page.ackURL, "the link has expired");
    expect(await state(page.escalation)).toBe("triggered");

    // The next page has a link that works.
    await until(async () => {
      const last = told.at(-1) as Told;
      return (
        (await look(last.ackURL)).text.includes("Acknowledge as ann") &&
        (await look(last.ackURL, "POST")).status === 200
      );
    }, "a fresh link acknowledges");
    expect(await state(page.escalation)).toBe("acknowledged");
    await tocsin.stop();
  });
});
