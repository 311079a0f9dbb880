/** Tables of figures: printed, and with `--write` put into docs/benchmarks.md in the place of the ones that were there. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

const PAGE = join(import.meta.dirname, "../../docs/benchmarks.md");

let collected: string[] = [];

/** Prints a table, aligned for the terminal; it is part of the running benchmark's section. */
export function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const cells = [head, ...rows].map((row) => row.map((c) => c.replaceAll("|", "\\|")));
  const widths = head.map((_, i) => Math.max(...cells.map((r) => (r[i] ?? "").length)));
  const line = (row: readonly string[]) => `| ${widths.map((w, i) => (row[i] ?? "").padEnd(w)).join(" | ")} |`;
  const [first, ...rest] = cells as [string[], ...string[][]];
  note(`\n**${title}**\n`);
  note([line(first), line(widths.map((w) => "-".repeat(w))), ...rest.map(line)].join("\n"));
}

/** Prints a line that belongs to the figures. */
export function note(text: string): void {
  console.log(text);
  collected.push(text);
}

/** The machine and the runtime, for every section. */
export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} x ${cpu?.model}, ${memory} GiB, node ${process.version}, ${new Date().toISOString().slice(0, 10)}`;
}

/** Runs one benchmark and, when asked to, writes its section. */
export async function section(name: string, title: string, run: () => Promise<void>, write: boolean): Promise<void> {
  collected = [];
  console.log(`\n## ${title}`);
  await run();
  if (!write) return;
  const text = [
    marker(name),
    `## ${title}`,
    "",
    `\`npm run bench -- ${name}\`, ${machine()}`,
    collected.join("\n").replace(/\n{3,}/g, "\n\n"),
  ].join("\n");
  const page = readFileSync(PAGE, "utf8");
  writeFileSync(PAGE, replaceSection(page, name, text));
}

const marker = (name: string) => `<!-- bench: ${name} -->`;

/** The page with the section of that name replaced, or added at its end. */
export function replaceSection(page: string, name: string, text: string): string {
  const start = page.indexOf(marker(name));
  if (start < 0) return `${page.trimEnd()}\n\n${text.trimEnd()}\n`;
  const next = page.indexOf("<!-- bench: ", start + 1);
  const rest = next < 0 ? "" : `\n${page.slice(next)}`;
  return `${page.slice(0, start)}${text.trimEnd()}\n${rest}`;
}
