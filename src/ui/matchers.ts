/** Matchers as a person writes them: `a="b", c=~"d|e"`. */
export interface Matcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual: boolean;
}

type LabelSet = Readonly<Record<string, string>>;

const ONE = /^("(?:[^"\\]|\\.)*"|[^\s=!~,"{}]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^\s,"{}]*)\s*(?:,\s*|$)/u;

/** Throws an Error that says where it cannot be read. Braces around it are allowed; an empty text has no matchers. */
export function parseMatchers(text: string): Matcher[] {
  const out: Matcher[] = [];
  let rest = text.trim();
  if (rest.startsWith("{") && rest.endsWith("}")) rest = rest.slice(1, -1).trim();
  while (rest !== "") {
    const m = ONE.exec(rest);
    if (m === null) throw new Error(`no matcher: ${rest}`);
    const [whole, name = "", op = "", value = ""] = m;
    out.push({ name: unquoted(name), value: unquoted(value), isRegex: op.endsWith("~"), isEqual: op.startsWith("=") });
    rest = rest.slice(whole.length);
  }
  return out;
}

function unquoted(text: string): string {
  return text.startsWith('"') ? (JSON.parse(text) as string) : text;
}

export function matcherText(m: Matcher): string {
  return `${nameText(m.name)}${operator(m)}${JSON.stringify(m.value)}`;
}

/** The labels as matchers that fit them and nothing else with other values. */
export function labelsText(labels: LabelSet): string {
  return Object.entries(labels)
    .map(([name, value]) => `${nameText(name)}=${JSON.stringify(value)}`)
    .join(", ");
}

function nameText(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name);
}

function operator({ isEqual, isRegex }: Matcher): string {
  return `${isEqual ? "=" : "!"}${isRegex ? "~" : isEqual ? "" : "="}`;
}

/**
 * Whether an alert is what a text asks for: one with a matcher's operator is read as matchers, anything else is looked for in the
 * alert's texts. Throws an Error that says what cannot be read.
 */
export function makeFilter(text: string): (labels: LabelSet, texts: readonly string[]) => boolean {
  const wanted = text.trim();
  if (wanted === "") return () => true;
  if (!/[=~{]/.test(wanted)) {
    const part = wanted.toLowerCase();
    const has = (s: string) => s.toLowerCase().includes(part);
    return (labels, texts) => Object.entries(labels).some(([n, v]) => has(n) || has(v)) || texts.some(has);
  }
  const tests = parseMatchers(wanted).map((m) => {
    const regex = m.isRegex ? new RegExp(`^(?:${m.value})$`, "su") : undefined;
    return (labels: LabelSet) => {
      const value = Object.hasOwn(labels, m.name) ? (labels[m.name] ?? "") : "";
      return (regex === undefined ? value === m.value : regex.test(value)) === m.isEqual;
    };
  });
  return (labels) => tests.every((test) => test(labels));
}
