import { readdirSync } from "node:fs";
import { arch, hostname } from "node:os";
import { type Collect, lines, readText, tryReadNumber, tryReadText, words } from "./roots.ts";

/** What node calls x64 and arm64 the kernel calls otherwise. */
const MACHINES: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", ia32: "i686" };

export const collectUname: Collect = (emit, host) => {
  const kernel = (file: string): string => tryReadText(`${host.proc}/sys/kernel/${file}`)?.trim() ?? "";
  emit(
    "node_uname_info",
    1,
    ...["sysname", kernel("ostype"), "release", kernel("osrelease"), "version", kernel("version")],
    ...["nodename", kernel("hostname") || hostname(), "domainname", kernel("domainname")],
    ...["machine", kernel("arch") || (MACHINES[arch()] ?? arch())],
  );
};

const OS_LABELS = [
  "build_id",
  "id",
  "id_like",
  "image_id",
  "image_version",
  "name",
  "pretty_name",
  "variant",
  "variant_id",
  "version",
  "version_codename",
  "version_id",
] as const;

export const collectOs: Collect = (emit, host) => {
  const text = tryReadText(`${host.root}/etc/os-release`) ?? readText(`${host.root}/usr/lib/os-release`);
  const values = new Map<string, string>();
  for (const line of lines(text)) {
    const m = /^([A-Z_]+)=(?:"(.*)"|'(.*)'|(.*))$/.exec(line.trim());
    if (m !== null) values.set((m[1] as string).toLowerCase(), m[2]?.replace(/\\(.)/g, "$1") ?? m[3] ?? m[4] ?? "");
  }
  const value = (label: string): string => values.get(label) ?? "";
  emit("node_os_info", 1, ...OS_LABELS.flatMap((label) => [label, value(label)]));
  const version = /^(\d+)(?:\.(\d+))?/.exec(value("version_id") || value("version"));
  if (version !== null) {
    const number = Number(version[2] === undefined ? version[1] : `${version[1]}.${version[2]}`);
    emit("node_os_version", number, "id", value("id"), "id_like", value("id_like"), "name", value("name"));
  }
};

/** Time of the host's clock, which shows a clock that is off or stands still. */
export function collectTime(now: () => number): Collect {
  return (emit, host) => {
    emit("node_time_seconds", now() / 1000);
    const base = `${host.sys}/devices/system/clocksource`;
    for (const entry of tryReadDir(base)) {
      const device = /^clocksource(\d+)$/.exec(entry)?.[1];
      if (device === undefined) continue;
      const text = (file: string): string => tryReadText(`${base}/${entry}/${file}`)?.trim() ?? "";
      for (const source of words(text("available_clocksource"))) {
        emit("node_time_clocksource_available_info", 1, "device", device, "clocksource", source);
      }
      const current = text("current_clocksource");
      emit("node_time_clocksource_current_info", 1, "device", device, "clocksource", current);
    }
  };
}

export const collectFileDescriptors: Collect = (emit, host) => {
  const [allocated, , maximum] = words(readText(`${host.proc}/sys/fs/file-nr`));
  emit("node_filefd_allocated", Number(allocated));
  emit("node_filefd_maximum", Number(maximum));
};

export const collectEntropy: Collect = (emit, host) => {
  const base = `${host.proc}/sys/kernel/random`;
  emit("node_entropy_available_bits", Number(readText(`${base}/entropy_avail`)));
  emit("node_entropy_pool_size_bits", Number(readText(`${base}/poolsize`)));
};

export const collectSelinux: Collect = (emit, host) => {
  const mode = tryReadNumber(`${host.sys}/fs/selinux/enforce`);
  emit("node_selinux_enabled", mode === undefined ? 0 : 1);
  if (mode !== undefined) emit("node_selinux_current_mode", mode);
};

export const collectThermalZones: Collect = (emit, host) => {
  const base = `${host.sys}/class/thermal`;
  for (const entry of tryReadDir(base)) {
    const zone = /^thermal_zone(\d+)$/.exec(entry)?.[1];
    const device = /^cooling_device(\d+)$/.exec(entry)?.[1];
    const type = tryReadText(`${base}/${entry}/type`)?.trim() ?? "";
    if (zone !== undefined) {
      const millidegrees = tryReadNumber(`${base}/${entry}/temp`);
      if (millidegrees !== undefined) emit("node_thermal_zone_temp", millidegrees / 1000, "zone", zone, "type", type);
    } else if (device !== undefined) {
      for (const [file, name] of [
        ["cur_state", "node_cooling_device_cur_state"],
        ["max_state", "node_cooling_device_max_state"],
      ] as const) {
        const state = tryReadNumber(`${base}/${entry}/${file}`);
        if (state !== undefined) emit(name, state, "name", device, "type", type);
      }
    }
  }
};

function tryReadDir(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}
