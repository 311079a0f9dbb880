import * as Cause from "effect/Cause";
import * as Logger from "effect/Logger";
import * as References from "effect/References";
import pino from "pino";

/** The process's one log: JSON lines on stderr, or plain lines where a person looks at a terminal. */
export function makeLog(level: string): pino.Logger {
  const base = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!process.stderr.isTTY)
    return pino({ ...base, formatters: { level: (label) => ({ level: label }) } }, process.stderr);
  return pino(base, { write: (line: string) => process.stderr.write(plainLine(line)) });
}

/** A JSON line as a person reads it. */
export function plainLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const name = (pino.levels.labels[level as number] ?? "info").toUpperCase().padEnd(5);
  const fields = Object.entries(rest)
    .filter(([key]) => key !== "cause")
    .map(([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  const stack = (err as { stack?: string } | undefined)?.stack;
  return `${String(time).slice(11, 23)} ${name} ${msg}${fields.join("")}${stack === undefined ? "" : `\n${stack}`}\n`;
}

/** Everything that actors log goes to the same place. */
export function effectLogger(log: pino.Logger): Logger.Logger<unknown, void> {
  return Logger.make((entry) => {
    const text = Array.isArray(entry.message) ? entry.message.map(String).join(" ") : String(entry.message);
    const fields: Record<string, unknown> = { ...entry.fiber.getRef(References.CurrentLogAnnotations) };
    if (entry.cause.reasons.length > 0) fields.cause = Cause.pretty(entry.cause);
    log[PINO[entry.logLevel] ?? "info"](fields, text);
  });
}

const PINO: Partial<Record<string, "trace" | "debug" | "info" | "warn" | "error" | "fatal">> = {
  Trace: "trace",
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Fatal: "fatal",
};
