import { globSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Node } from "yaml";
import { readList, readString, report } from "../../lib/yaml-reader.ts";
import { defaultTemplates } from "../notify/template/default-templates.ts";
import { calledTemplates, parseTemplateFile, type TemplateSet } from "../notify/template/render.ts";
import type { LoadContext } from "./load-fields.ts";

/** The built-in templates and those of the files that the globs of `templates` name; a later one replaces an earlier. */
export function readTemplates(c: LoadContext, node: Node | undefined): TemplateSet {
  const all = new Map(defaultTemplates());
  for (const item of readList(c.r, node, "templates")) {
    const glob = resolve(c.folder, readString(c.r, item, "template") ?? "");
    for (const path of globSync(glob).sort()) {
      try {
        const text = readFileSync(path, "utf8");
        c.hash.update(`${path}\0${text}\0`);
        for (const [name, template] of parseTemplateFile(basename(path), text)) all.set(name, template);
      } catch (error) {
        report(c.r, item, `${path}: ${(error as Error).message}`);
      }
    }
  }
  for (const { name, body } of all.values()) {
    for (const called of calledTemplates(body)) {
      if (!all.has(called))
        report(c.r, node, `template ${JSON.stringify(name)} calls ${JSON.stringify(called)}, which is not defined`);
    }
  }
  return all;
}
