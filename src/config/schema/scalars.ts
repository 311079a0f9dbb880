import type { Node } from "yaml";
import { formatDuration, MAX_DURATION_MS, parseDuration } from "../../lib/duration.ts";
import { found, type Schema } from "./schema.ts";
import { problem, type Source, scalarText } from "./source.ts";

/** A schema of scalars: `parse` answers the value, or throws an Error whose message says what is wrong with the text. */
export function scalar<T>(word: string, parse: (text: string) => T): Schema<T> {
  return {
    word,
    read(source: Source, node: Node) {
      const text = scalarText(node);
      if (text === undefined) {
        problem(source, node, `expected a ${word}, found ${found(node)}`);
        return undefined;
      }
      try {
        return parse(text);
      } catch (error) {
        problem(source, node, error instanceof Error ? error.message : String(error));
        return undefined;
      }
    },
  };
}

export const string: Schema<string> = scalar("string", (text) => text);

export const nonEmpty: Schema<string> = scalar("string", (text) => {
  if (text === "") throw new Error("must not be empty");
  return text;
});

export const boolean: Schema<boolean> = scalar("boolean", (text) => {
  if (/^(true|yes|on|y)$/i.test(text)) return true;
  if (/^(false|no|off|n)$/i.test(text)) return false;
  throw new Error(`expected true or false, found ${JSON.stringify(text)}`);
});

/** A whole number; underscores group digits as YAML allows. */
export function integer(minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Schema<number> {
  return scalar("integer", (text) => {
    if (!/^[-+]?\d[\d_]*$/.test(text)) throw new Error(`expected a whole number, found ${JSON.stringify(text)}`);
    return inRange(Number(text.replaceAll("_", "")), minimum, maximum, text);
  });
}

function inRange(value: number, minimum: number, maximum: number, text: string): number {
  if (value < minimum) throw new Error(`${text} is too small, the least is ${minimum}`);
  if (value > maximum) throw new Error(`${text} is too large, the most is ${maximum}`);
  return value;
}

/** Prometheus's durations (1h30m, 15s, 5d): units from large to small, each once; 0 without a unit. Milliseconds. */
export function duration(minimumMs = 0, maximumMs = MAX_DURATION_MS): Schema<number> {
  return scalar("duration", (text) => {
    let ms: number;
    try {
      ms = parseDuration(text);
    } catch {
      throw new Error(`${JSON.stringify(text)} is no duration, write it like 15s, 1m30s or 5d`);
    }
    if (ms < minimumMs) throw new Error(`${text} is too short, the least is ${formatDuration(minimumMs)}`);
    if (ms > maximumMs) throw new Error(`${text} is too long, the most is ${formatDuration(maximumMs)}`);
    return ms;
  });
}

const SIZE_FACTOR: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
  PB: 2 ** 50,
};

/** Bytes: 512MB, 1GiB or a plain number; every unit is a power of 1024, as in Prometheus. */
export function size(minimum = 0, maximum = Number.MAX_SAFE_INTEGER): Schema<number> {
  return scalar("size", (text) => {
    const m = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)(i?)(B?)$/i.exec(text);
    const unit = m === null ? "" : `${m[2]?.toUpperCase()}${m[2] === "" ? (m[4] === "" ? "" : "B") : "B"}`;
    const factor = SIZE_FACTOR[unit];
    if (m === null || factor === undefined || (m[3] !== "" && m[2] === "")) {
      throw new Error(`${JSON.stringify(text)} is no size, write it like 512KB, 64MB or 10GB`);
    }
    return inRange(Math.round(Number(m[1]) * factor), minimum, maximum, text);
  });
}

export function oneOf<const T extends string>(...values: readonly T[]): Schema<T> {
  return scalar(values.map((v) => `\`${v}\``).join(" or "), (text) => {
    const match = values.find((v) => v === text);
    if (match === undefined) throw new Error(`expected ${values.join(", ")}, found ${JSON.stringify(text)}`);
    return match;
  });
}

/** The name of a label as it may stand in series: any UTF-8 text that is not empty. */
export function labelNameProblem(name: string): string | undefined {
  if (name === "") return "a label name must not be empty";
  if (!name.isWellFormed()) return `${JSON.stringify(name)} is no valid label name: it is not UTF-8`;
  return undefined;
}

/** Path of a file, relative to the folder of the file that names it. */
export const path: Schema<string> = scalar("path", (text) => {
  if (text === "") throw new Error("must not be empty");
  return text;
});

/** host:port; IPv6 in brackets. */
/** An http or https URL that paths can be put behind; without a slash at its end. */
export const baseUrl: Schema<string> = scalar("URL", parseBaseUrl);

/** Throws an Error that says what is wrong with a text that is no such URL. */
export function parseBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.host === "") {
    throw new Error(
      `${JSON.stringify(text)} is no URL, write it like https://tocsin.example.org or https://example.org/tocsin`,
    );
  }
  if (url.search !== "" || url.hash !== "") throw new Error("it ends with its path: no ? and no # behind it");
  if (url.username !== "" || url.password !== "") throw new Error("no user or password: it is in every notification");
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

export const hostPort: Schema<string> = scalar("host:port", (text) => {
  const m = /^(\[[0-9a-fA-F:.]+\]|[^:[\]/\s]*):(\d{1,5})$/.exec(text);
  if (m === null) throw new Error(`${JSON.stringify(text)} is no address, write host:port`);
  if (Number(m[2]) > 65_535) throw new Error(`port ${m[2]} does not exist, the highest is 65535`);
  return text;
});
