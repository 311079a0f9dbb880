import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { describe, expect, it } from "vitest";
import { systemTree, type TreeNode } from "../../src/actors/system.ts";

const page = readFileSync("docs/actors.md", "utf8");
const [actors, helpers] = page.split("## Helpers").map(rowsOf) as [string[][], string[][]];

/** The cells of a Markdown table's rows, heading left out. */
function rowsOf(text: string): string[][] {
  const lines = text.split("\n").filter((line) => line.startsWith("| "));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const nameOf = (row: readonly string[]) => (row[0] as string).replaceAll("`", "");
const sources = globSync("src/{actors,agent,cli,streams}/**/*.ts").filter((f) => !f.includes("/runtime/"));
const source = sources.map((f) => readFileSync(f, "utf8")).join("\n");
/** First groups of all matches in the sources. */
const found = (pattern: RegExp) => new Set([...source.matchAll(pattern)].map((m) => m[1] as string));

/** `supervisor/actor` of all actors that are not supervisors themselves. */
function leaves(nodes: readonly TreeNode[], supervisor: string): string[] {
  return nodes.flatMap((n) => ("children" in n ? leaves(n.children, n.id) : [`${supervisor}/${n.id}`]));
}

describe("docs/actors.md", () => {
  it("names the actors of the tree, no more and no fewer", () => {
    const none = Effect.never;
    const parts = {
      shards: none,
      compactor: none,
      ingestSubject: none,
      labelRequests: none,
      scrapes: none,
      hostCollector: none,
    };
    const tree = systemTree({ ...parts, alertManager: none, rules: none, api: none });
    // "shards" is a supervisor made elsewhere, the bus comes before the tree.
    const fixed = new Set([...leaves(tree, "tocsin"), "tocsin/bus", "scrapes/outbox"]);
    fixed.delete("tocsin/shards");
    expect(new Set(actors.map(nameOf).filter((name) => !name.includes("<")))).toEqual(fixed);
  });

  it("names every supervisor whose actors come and go", () => {
    const made = found(/makeDynamicSupervisor(?:<[^>]*>)?\("([^"]+)"/g);
    expect(made.size).toBeGreaterThan(3);
    const listed = new Set(
      actors
        .map(nameOf)
        .filter((n) => n.includes("<"))
        .map((n) => n.split("/")[0]),
    );
    expect(listed).toEqual(made.add("shards"));
  });

  it("names every mailbox", () => {
    const made = found(/makeMailbox<[^(]*>?\(\s*["`]([^"`$]+)/g);
    for (const name of found(/makeEventOutlet\("([^"]+)"/g)) made.add(name);
    expect(made.size).toBeGreaterThan(5);
    for (const name of made) expect(page, name).toContain(`\`${name}\``);
  });

  it("names every fiber below an actor", () => {
    const forked = found(/yield\* spawn\(\s*["`]([^"`$]+)/g);
    forked.delete("bus"); // the bus's supervisor itself
    const listed = new Set(helpers.map((row) => nameOf(row).replace(/<.*/, "")));
    expect(listed).toEqual(forked);
  });

  it("has a test for every actor, under the title that it gives", () => {
    for (const row of actors) {
      const links = [...(row.at(-1) as string).matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)];
      expect(links.length, nameOf(row)).toBeGreaterThan(0);
      for (const [, title, path] of links) {
        const file = join("docs", path as string);
        expect(existsSync(file), file).toBe(true);
        expect(readFileSync(file, "utf8"), `${nameOf(row)}: ${file}`).toContain(title as string);
      }
    }
  });
});
