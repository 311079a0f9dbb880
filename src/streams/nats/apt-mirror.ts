import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** The archive key that signs every Debian suite; part of the package debian-archive-keyring, which apt depends on. */
export const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * The Debian mirror that this machine's own apt uses, e.g. `http://mirror.example.org/debian`: the first archive of Debian
 * itself (not security, not a third party's) named in `etcApt`. Undefined when there is none.
 */
export async function machineDebianMirror(etcApt = "/etc/apt"): Promise<string | undefined> {
  const texts: [string, string][] = [];
  const parts = join(etcApt, "sources.list.d");
  for (const name of (await readdir(parts).catch(() => [] as string[])).sort()) {
    const text = await readFile(join(parts, name), "utf8").catch(() => "");
    if (name.endsWith(".sources") || name.endsWith(".list")) texts.push([name, text]);
  }
  texts.push(["sources.list", await readFile(join(etcApt, "sources.list"), "utf8").catch(() => "")]);
  for (const [name, text] of texts) {
    const uris = name.endsWith(".sources") ? urisOfStanzas(text) : urisOfLines(text);
    const mirror = uris.find(isDebianArchive);
    if (mirror !== undefined) return mirror.replace(/\/+$/, "");
  }
  return undefined;
}

/** `URIs:` fields of a deb822 file, of stanzas that are not disabled. */
export function urisOfStanzas(text: string): string[] {
  const uris: string[] = [];
  for (const stanza of text.split(/\n[ \t]*\n/)) {
    if (/^Enabled:\s*(no|false|0)\s*$/im.test(stanza) || !/^Types:.*\bdeb\b/im.test(stanza)) continue;
    const field = /^URIs:((?:.*)(?:\n[ \t]+.*)*)/im.exec(stanza)?.[1] ?? "";
    uris.push(...field.split(/\s+/).filter((u) => u !== ""));
  }
  return uris;
}

/** URIs of the `deb` lines of a one-line-style file. */
export function urisOfLines(text: string): string[] {
  const uris: string[] = [];
  for (const line of text.split("\n")) {
    const m = /^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s/.exec(line);
    if (m?.[1] !== undefined) uris.push(m[1]);
  }
  return uris;
}

function isDebianArchive(uri: string): boolean {
  return /^https?:\/\/.*\/debian\/?$/.test(uri);
}
