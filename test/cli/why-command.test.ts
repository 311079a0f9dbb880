import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { addWhyCommand } from "../../src/cli/why-command.ts";

const before = process.exitCode;
afterEach(() => {
  process.exitCode = before;
  vi.restoreAllMocks();
});

class Exit extends Error {}

/** The exit code and what is said on the standard error. */
async function run(...args: string[]): Promise<{ readonly code: unknown; readonly said: string }> {
  const said: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  vi.spyOn(process, "exit").mockImplementation((code) => {
    process.exitCode = code;
    throw new Exit();
  });
  process.exitCode = undefined;
  const program = new Command();
  addWhyCommand(program);
  await program.parseAsync(["node", "tocsin", "why", ...args]).catch((e: unknown) => {
    if (!(e instanceof Exit)) throw e;
  });
  return { code: process.exitCode, said: said.join("") };
}

test("without labels the question is wrong: exit code 2 and what to give", async () => {
  expect(await run()).toEqual({
    code: 2,
    said: `error: which alert? Give its labels, as 'alertname="HighLoad",instance="a"'\n`,
  });
});

test.each([
  [["alertname=X", "more"], "too many arguments"],
  [["alertname=X", "--bogus"], "unknown option '--bogus'"],
  [["alertname=X", "--time"], "argument missing"],
])("%j is wrong use: exit code 2", async (args, text) => {
  const { code, said } = await run(...args);
  expect(code).toBe(2);
  expect(said).toContain(text);
});

test("help is no mistake", async () => {
  expect((await run("--help")).code).toBe(0);
});
