import { readFileSync } from "node:fs";
import { isScalar, type Node, visit } from "yaml";
import { placeOf, readYaml, report, type YamlReader } from "../../lib/yaml-reader.ts";
import { ConfigError, type ConfigProblem } from "../../model/config.ts";

/** One YAML (or JSON) text that is being read: the nodes, everything wrong with them, and where each value was read. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly yaml: YamlReader;
  readonly problems: ConfigProblem[];
  readonly warnings: ConfigProblem[];
  /** The node that an object was read from, for checks between values. */
  readonly nodes: WeakMap<object, Node>;
}

/** Parses the text; YAML syntax errors are already among the problems of the result. */
export function parseSource(file: string, text: string): Source {
  const yaml = readYaml(file, text);
  if (yaml.root !== undefined) {
    visit(yaml.root, {
      Alias: (_, alias) => {
        if (yaml.resolve(alias) === undefined) report(yaml, alias, `nothing is named &${alias.source}`);
      },
    });
  }
  return { file, text, yaml, problems: yaml.problems, warnings: [], nodes: new WeakMap() };
}

/** Reads and parses a file; throws `ConfigError` when it cannot be read or is no UTF-8. */
export function openSource(file: string): Source {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ConfigError([{ file, line: 0, column: 0, message: `cannot be read: ${reasonOf(error)}` }]);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError([{ file, line: 0, column: 0, message: "is not UTF-8 text" }]);
  }
  return parseSource(file, text);
}

export function problem(source: Source, node: Node | undefined, message: string): void {
  report(source.yaml, node, message);
}

export function warn(source: Source, node: Node | undefined, message: string): void {
  source.warnings.push({ file: source.file, ...placeOf(source.yaml, node), message });
}

/** The reason of a file system error in words, without the path (the caller names it). */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (code === "ENOENT") return "no such file";
  if (code === "EACCES") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}

/** In the order of the text. */
export function sortProblems(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return [...problems].sort((a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The text of a scalar as a string wants it: for a plain scalar what is written (`yes` is "yes", `1.10` is "1.10"), else
 * its string value; undefined when the node is no scalar.
 */
export function scalarText(node: Node): string | undefined {
  if (!isScalar(node)) return undefined;
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

export function isNull(node: Node | undefined): boolean {
  return node === undefined || (isScalar(node) && node.value === null);
}
