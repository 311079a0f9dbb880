import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import * as Effect from "effect/Effect";
import * as Logger from "effect/Logger";
import pino from "pino";
import { describe, expect, it } from "vitest";
import { effectLogger, plainLine } from "../../src/cli/log.ts";

const TIME = "2026-01-02T03:04:05.678Z";

/** The lines that the log writes where no terminal is. */
function linesOf(code: string, level = "info"): Record<string, unknown>[] {
  const text = `import { makeLog } from ${JSON.stringify(resolve("src/cli/log.ts"))}; const log = makeLog("${level}"); ${code}`;
  const { stderr, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", text], { encoding: "utf8" });
  expect(stdout).toBe("");
  return stderr
    .trimEnd()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("the log", { timeout: 90_000 }, () => {
  it("is JSON lines on stderr, with the level's name, an ISO time and what is told along", () => {
    const lines = linesOf(`log.debug("not seen"); log.info("one"); log.warn({ shard: 3 }, "two\\nlines");
      log.error({ err: new TypeError("broken") }, "three")`);
    expect(lines.map((l) => [l.level, l.msg])).toEqual([
      ["info", "one"],
      ["warn", "two\nlines"],
      ["error", "three"],
    ]);
    for (const line of lines) expect(new Date(line.time as string).toISOString()).toBe(line.time);
    expect(lines[1]).toMatchObject({ shard: 3 });
    expect(lines[2]?.err).toMatchObject({
      type: "TypeError",
      message: "broken",
      stack: expect.stringContaining("TypeError"),
    });
    expect(Object.keys(lines[0] as object)).toEqual(["level", "time", "msg"]);
  });

  it("leaves out what is below its level", () => {
    const all = 'for (const level of ["debug", "info", "warn", "error", "fatal"]) log[level](level)';
    expect(linesOf(all, "debug").map((l) => l.msg)).toEqual(["debug", "info", "warn", "error", "fatal"]);
    expect(linesOf(all, "error").map((l) => l.msg)).toEqual(["error", "fatal"]);
  });

  it("is plain lines for a person at a terminal", () => {
    const line = (fields: object) => plainLine(JSON.stringify({ level: 30, time: TIME, ...fields }));
    expect(line({ msg: "hello" })).toBe("03:04:05.678 INFO  hello\n");
    expect(line({ level: 50, msg: "no" })).toBe("03:04:05.678 ERROR no\n");
    expect(line({ level: 40, msg: "m", shard: 3, why: "full", what: [1] })).toBe(
      "03:04:05.678 WARN  m shard=3 why=full what=[1]\n",
    );
    // Stacks of an error that nobody foresaw are shown; causes of deaths are in the message.
    expect(line({ msg: "m", cause: "Error: x\n  at y" })).toBe("03:04:05.678 INFO  m\n");
    expect(line({ msg: "m", err: { stack: "TypeError: x\n    at y" } })).toBe(
      "03:04:05.678 INFO  m\nTypeError: x\n    at y\n",
    );
  });

  it("takes what actors log, with level, annotations and cause", async () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(JSON.parse(line) as never) });
    const program = Effect.gen(function* () {
      yield* Effect.logDebug("a");
      yield* Effect.annotateLogs(Effect.logError("b", "c"), { child: "x", deaths: 2 });
      yield* Effect.logFatal("d");
    });
    await Effect.runPromise(Effect.provide(program, Logger.layer([effectLogger(log)])));
    expect(lines).toMatchObject([
      { level: 50, msg: "b c", child: "x", deaths: 2 },
      { level: 60, msg: "d" },
    ]);
  });
});
