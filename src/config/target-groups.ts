import { isSeq } from "yaml";
import { ConfigError, type StaticConfig } from "../model/config.ts";
import { list } from "./schema/schema.ts";
import { isNull, openSource, problem, sortProblems } from "./schema/source.ts";
import { staticConfigSchema } from "./scrape-keys.ts";

const groups = list(staticConfigSchema);

/**
 * Reads a file of target groups (`file_sd_configs`), YAML or JSON: a list of `{targets, labels}`.
 * An empty file is a problem, since it may be half written; `[]` says that there are no targets.
 * @throws ConfigError with every problem and its place
 */
export function readTargetGroups(file: string): readonly StaticConfig[] {
  const source = openSource(file);
  const root = source.yaml.root;
  if (source.problems.length === 0) {
    if (isNull(root)) problem(source, root, "is empty, write [] when there are no targets");
    else if (!isSeq(root)) problem(source, root, 'expected a list of target groups ("- targets: [...]")');
  }
  const read = source.problems.length === 0 && root !== undefined ? groups.read(source, root) : undefined;
  if (read === undefined || source.problems.length > 0) throw new ConfigError(sortProblems(source.problems));
  return read;
}
