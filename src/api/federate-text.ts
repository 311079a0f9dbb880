import { formatFloatG } from "../lib/float-format.ts";
import { type Labels, METRIC_NAME } from "../model/labels.ts";
import { type Escaping, escapeName, isLegacyName } from "./name-escaping.ts";

/** A series' newest sample. */
export interface Newest {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
  /** Unix ms. */
  readonly ts: number;
}

const PIECE = 64 * 1024;

/**
 * Text exposition format 0.0.4 as Prometheus's /federate writes it: metrics in the order given, those of one name together, each
 * untyped, with the time in ms. A series without `instance` gets an empty one, so that the scraper's own does not stand in.
 */
export function* federateText(samples: Iterable<Newest>, scheme: Escaping): Generator<string> {
  let out = "";
  let last: string | undefined;
  for (const { name, labels, value, ts } of samples) {
    const shown = escapeName(name, scheme);
    const plain = isLegacyName(shown);
    if (name !== last) out += `# TYPE ${plain ? shown : quoted(shown)} untyped\n`;
    last = name;
    const pairs = plain ? [] : [quoted(shown)];
    let instance = false;
    for (let i = 0; i < labels.length; i += 2) {
      const label = labels[i] as string;
      if (label === METRIC_NAME) continue;
      instance ||= label === "instance";
      pairs.push(pair(label, labels[i + 1] as string, scheme));
    }
    if (!instance) pairs.push('instance=""');
    // Go's writer of this format knows one zero only.
    out += `${plain ? shown : ""}{${pairs.join(",")}} ${formatFloatG(value === 0 ? 0 : value)} ${ts}\n`;
    if (out.length < PIECE) continue;
    yield out;
    out = "";
  }
  if (out !== "") yield out;
}

function pair(name: string, value: string, scheme: Escaping): string {
  const shown = escapeName(name, scheme);
  return `${isLegacyName(shown) && !shown.includes(":") ? shown : quoted(shown)}=${quoted(value)}`;
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')}"`;
}
