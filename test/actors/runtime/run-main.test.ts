import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const FIXTURE = fileURLToPath(new URL("./main.fixture.ts", import.meta.url));

/** Runs the fixture, sends each signal when the line before it has been printed, and waits for the end. */
function run(how: string, signals: readonly (readonly [line: string, signal: NodeJS.Signals])[]) {
  return new Promise<{ code: number | null; out: string }>((resolve) => {
    const child = spawn(process.execPath, [FIXTURE, how], { stdio: ["ignore", "pipe", "pipe"] });
    const left = [...signals];
    let out = "";
    const hear = (chunk: Buffer) => {
      out += chunk;
      const next = left[0];
      if (next !== undefined && out.includes(`${next[0]}\n`)) {
        left.shift();
        child.kill(next[1]);
      }
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("close", (code) => resolve({ code, out }));
  });
}

test.each(["SIGTERM", "SIGINT"] as const)("%s runs the finalizers and gives exit code 0", async (signal) => {
  expect(await run("wait", [["running", signal]])).toEqual({ code: 0, out: "running\nreleased\n" });
});

test("a second signal exits at once", async () => {
  const { code } = await run("stuck", [
    ["running", "SIGTERM"],
    ["stuck", "SIGINT"],
  ]);
  expect([130, 1]).toContain(code);
});

test("finalizers that do not end are cut off", async () => {
  expect(await run("stuck", [["running", "SIGTERM"]])).toMatchObject({ code: 1 });
});

test("a failure is printed and gives exit code 1", async () => {
  const { code, out } = await run("fail", []);
  expect(code).toBe(1);
  expect(out).toContain("released");
  expect(out).toContain("cannot go on");
});

test("an end gives exit code 0", async () => {
  expect(await run("end", [])).toEqual({ code: 0, out: "running\nreleased\n" });
});
