/** Numbers and label sets as people read them. */
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function bytes(value: number): string {
  let unit = 0;
  let v = value;
  while (Math.abs(v) >= 1024 && unit < BINARY.length - 1) {
    v /= 1024;
    unit++;
  }
  return `${short(v)} ${BINARY[unit]}`;
}

export function bytesPerSecond(value: number): string {
  return `${bytes(value)}/s`;
}

export function percent(value: number): string {
  return `${short(value)} %`;
}

export function plain(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const a = Math.abs(value);
  if (a !== 0 && (a >= 1e15 || a < 1e-4)) return value.toExponential(3);
  return value.toLocaleString("en-US", { maximumFractionDigits: a < 1 ? 6 : 3 });
}

export function seconds(value: number): string {
  if (value === 0) return "0s";
  if (value < 1) return `${short(value * 1000)} ms`;
  if (value % 3600 === 0) return `${value / 3600}h`;
  return value % 60 === 0 ? `${value / 60}m` : `${short(value)}s`;
}

function short(v: number): string {
  const a = Math.abs(v);
  return String(Number(v.toFixed(a >= 100 ? 0 : a >= 10 ? 1 : 2)));
}

export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

export function metricText(metric: Readonly<Record<string, string>>): string {
  const { __name__: name = "", ...rest } = metric;
  const pairs = Object.entries(rest).map(([k, v]) => `${k}=${JSON.stringify(v)}`);
  return pairs.length === 0 && name !== "" ? name : `${name}{${pairs.join(", ")}}`;
}
