import type { FastifyInstance } from "fastify";
import { ConfigError } from "../../model/config.ts";
import type { ApiDeps } from "../deps.ts";

/** /-/healthy, /-/ready, /-/reload and /metrics. */
export function healthRoutes(app: FastifyInstance, deps: ApiDeps): void {
  app.get("/-/healthy", (_request, reply) => reply.type("text/plain").send("Tocsin is Healthy.\n"));

  app.get("/-/ready", (_request, reply) => {
    const { ready, reason } = deps.ready();
    return reply
      .code(ready ? 200 : 503)
      .type("text/plain")
      .send(ready ? "Tocsin is Ready.\n" : `Tocsin is not ready: ${reason}\n`);
  });

  // Probes may ask for the status alone; HEAD is not taken elsewhere.
  app.head("/-/healthy", (_request, reply) => reply.send());
  app.head("/-/ready", (_request, reply) => reply.code(deps.ready().ready ? 200 : 503).send());

  app.route({
    method: ["POST", "PUT"],
    url: "/-/reload",
    handler: async (_request, reply) => {
      try {
        await deps.reload();
        return reply.send("");
      } catch (e) {
        if (!(e instanceof ConfigError)) throw e;
        deps.log.error({ problems: e.problems }, "configuration not reloaded, the old one goes on");
        return reply.code(500).type("text/plain").send(`failed to reload config, the old one goes on:\n${e.message}\n`);
      }
    },
  });

  app.get("/metrics", async (_request, reply) => {
    reply.type(deps.registry.contentType);
    return deps.registry.metrics();
  });
}
