import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { machineDebianMirror, urisOfLines, urisOfStanzas } from "../../../src/streams/nats/apt-mirror.ts";

const STANZAS = `# comment
Types: deb deb-src
URIs: https://packages.example.com/tool
Suites: stable

Enabled: no
Types: deb
URIs: http://disabled.example.com/debian

Types: deb
URIs:
 http://mirror.example.com/debian/
 http://other.example.com/debian
Suites: trixie

Types: deb
URIs: http://mirror.example.org/debian-security
`;

it("reads deb822 stanzas and one-line entries", () => {
  expect(urisOfStanzas(STANZAS)).toEqual([
    "https://packages.example.com/tool",
    "http://mirror.example.com/debian/",
    "http://other.example.com/debian",
    "http://mirror.example.org/debian-security",
  ]);
  expect(
    urisOfLines(
      "# deb http://a/debian x main\ndeb [arch=amd64 signed-by=/k] http://b/debian trixie main\ndeb-src http://c/debian x\n",
    ),
  ).toEqual(["http://b/debian"]);
});

it("finds the mirror of Debian itself, not of security updates or of third parties", async () => {
  const dir = await mkdtemp(join(tmpdir(), "tocsin-test-apt-"));
  expect(await machineDebianMirror(dir)).toBeUndefined();
  await mkdir(join(dir, "sources.list.d"));
  await writeFile(join(dir, "sources.list"), "deb http://old.example.com/debian bookworm main\n");
  expect(await machineDebianMirror(dir)).toBe("http://old.example.com/debian");
  await writeFile(
    join(dir, "sources.list.d/a.list"),
    "deb https://download.example.com/linux/debian/tool bookworm x\n",
  );
  await writeFile(join(dir, "sources.list.d/debian.sources"), STANZAS);
  expect(await machineDebianMirror(dir)).toBe("http://mirror.example.com/debian");
  await rm(dir, { recursive: true });
});
