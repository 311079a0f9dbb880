import { rootSchema } from "./root-keys.ts";
import type { Key, Keys, Schema } from "./schema/schema.ts";

/**
 * The reference page of the configuration (docs/configuration.md), made from the schema that reads it, so that the two
 * cannot differ. Markdown.
 */
export function configurationReference(): string {
  const sections: Section[] = [];
  collect("", rootSchema, "", sections);
  const out: string[] = [INTRODUCTION];
  for (const section of sections) out.push(sectionText(section));
  return `${out.join("\n")}`;
}

const INTRODUCTION = `# Configuration

<!-- Made from src/config by test/config/reference.test.ts; change the schema there, not this page. -->

One YAML file, \`config/tocsin.yml\` unless \`--config\` names another. It is Prometheus's schema (\`global\`,
\`scrape_configs\`, \`rule_files\`) with Tocsin's own keys beside it. \`tocsin check config FILE\` reads a file and reports
everything that is wrong with it, each with line and column; a key that does not exist is an error.

- A *duration* is written like \`15s\`, \`1m30s\` or \`5d\`: units \`y w d h m s ms\` from large to small.
- A *size* is written like \`512KB\`, \`64MB\` or \`10GB\`; every unit is a power of 1024, a plain number is bytes.
- A *path* is relative to the folder of the file that it stands in.
- A *regular expression* is in [RE2 syntax](https://github.com/google/re2/wiki/Syntax) and matches the whole text.
- Anchors (\`&name\`, \`*name\`) and merge keys (\`<<\`) may be used.
`;

interface Section {
  readonly path: string;
  readonly schema: Schema<unknown>;
  readonly keys: Keys;
  readonly doc: string;
}

/** Sections in the order of the keys; one that stands in several places is described where it stands first. */
function collect(path: string, schema: Schema<unknown>, doc: string, sections: Section[]): void {
  const inner = schema.keys === undefined ? schema.element : schema;
  if (inner === undefined) return;
  if (inner.keys === undefined) {
    collect(`${path}[]`, inner, doc, sections);
    return;
  }
  if (sections.some((s) => s.schema === inner)) return;
  sections.push({ path, schema: inner, keys: inner.keys, doc });
  for (const [name, key] of Object.entries(inner.keys)) {
    if (key.kind === "value") collect(path === "" ? name : `${path}.${name}`, key.schema, key.doc, sections);
  }
}

function sectionText({ path, keys, doc }: Section): string {
  const lines = [`## ${path === "" ? "Top level" : `\`${path}\``}`, ""];
  if (doc !== "") lines.push(doc, "");
  lines.push("| key | value | default | |", "| --- | --- | --- | --- |");
  for (const [name, key] of Object.entries(keys)) {
    if (key.kind === "value")
      lines.push(`| \`${name}\` | ${cell(key.schema.word)} | ${cell(fallback(key))} | ${cell(key.doc)} |`);
  }
  for (const [kind, title] of [
    ["ignored", "Accepted with a warning, without effect"],
    ["refused", "Not supported, an error"],
  ] as const) {
    const foreign = Object.entries(keys).filter(([, key]) => key.kind === kind);
    if (foreign.length === 0) continue;
    lines.push("", `${title}:`, "");
    for (const [reason, names] of byReason(foreign))
      lines.push(`- ${names.map((n) => `\`${n}\``).join(", ")}: ${reason}.`);
  }
  return `${lines.join("\n")}\n`;
}

function fallback(key: Extract<Key, { kind: "value" }>): string {
  if (key.need === "required") return "required";
  return key.fallbackText === "" ? "" : key.fallbackText.replace(/^([\w./:;"]+)$/, "`$1`");
}

function byReason(entries: readonly (readonly [string, Key])[]): Map<string, string[]> {
  const reasons = new Map<string, string[]>();
  for (const [name, key] of entries) reasons.set(key.doc, [...(reasons.get(key.doc) ?? []), name]);
  return reasons;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
