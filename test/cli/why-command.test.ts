import { Command } from "commander";
import { afterEach, expect, test, vi } from "vitest";
import { addWhyCommand } from "../../src/cli/why-command.ts";

const before = process.exitCode;
afterEach(() => {
  process.exitCode = before;
  vi.restoreAllMocks();
});

test("without labels the question is wrong: exit code 2 and what to give", async () => {
  const said: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => said.push(String(text)) > 0);
  const program = new Command().exitOverride();
  addWhyCommand(program);
  await program.parseAsync(["node", "tocsin", "why"]);
  expect(process.exitCode).toBe(2);
  expect(said.join("")).toBe(`error: which alert? Give its labels, as 'alertname="HighLoad",instance="a"'\n`);
});
