import { expect, it, onTestFinished } from "vitest";
import { ConfigError } from "../../../src/model/config.ts";
import { wholeServer } from "./whole-server.ts";

it("a reload that is refused names each place, and says that the old configuration goes on", async () => {
  const problems = [
    { file: "/etc/tocsin/rules.yml", line: 5, column: 15, message: "could not parse expression" },
    { file: "/etc/tocsin/am.yml", line: 1, column: 22, message: 'unknown key "foo" in the route' },
  ];
  const app = wholeServer({ reload: () => Promise.reject(new ConfigError(problems)) });
  onTestFinished(() => app.close());
  const answer = await app.inject({ method: "POST", url: "/-/reload" });
  expect(answer.statusCode).toBe(500);
  expect(answer.body.split("\n")).toEqual([
    "failed to reload config, the old one goes on:",
    "/etc/tocsin/rules.yml:5:15: could not parse expression",
    '/etc/tocsin/am.yml:1:22: unknown key "foo" in the route',
    "",
  ]);
});
