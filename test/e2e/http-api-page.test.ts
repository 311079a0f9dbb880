import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProgram, killLeftOvers, startTocsin, type Tocsin } from "./tocsin.ts";

// The examples of docs/http-api.md, run as they stand there.

afterAll(killLeftOvers);

const page = readFileSync(join(import.meta.dirname, "../../docs/http-api.md"), "utf8");
const examples = [...page.matchAll(/```console\n([\s\S]*?)```/g)].flatMap(([, block]) =>
  (block as string)
    .split(/^\$ /m)
    .filter((text) => text !== "")
    .map((text) => {
      const [command, ...output] = text.trim().split("\n");
      return { command: command as string, output: output.join("\n") };
    }),
);
const curl = findProgram("curl");

describe.skipIf(curl === undefined)(
  `docs/http-api.md${curl === undefined ? " (passed over: there is no curl)" : ""}`,
  () => {
    let tocsin: Tocsin;
    beforeAll(async () => {
      tocsin = await startTocsin();
    });
    afterAll(() => tocsin?.stop());

    it("has examples", () => expect(examples.length).toBeGreaterThan(4));
    it.each(examples)("$command", async ({ command, output }) => {
      const at = command.replaceAll("localhost:9090", new URL(tocsin.url).host);
      const { stdout } = await promisify(execFile)("sh", ["-c", at]);
      expect(stdout.trim()).toBe(output);
    });
  },
);
