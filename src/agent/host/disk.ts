import { type Collect, lines, readText, tryReadText, words } from "./roots.ts";

/** Partitions and devices in memory. */
const IGNORED = /^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$/;
/** /proc/diskstats counts in sectors of 512 bytes whatever the device's own are. */
const SECTOR = 512;

/** Fields of /proc/diskstats after the device name, in their order (Documentation/admin-guide/iostats.rst of the kernel). */
const FIELDS: readonly (readonly [name: string, factor: number])[] = [
  ["node_disk_reads_completed_total", 1],
  ["node_disk_reads_merged_total", 1],
  ["node_disk_read_bytes_total", SECTOR],
  ["node_disk_read_time_seconds_total", 0.001],
  ["node_disk_writes_completed_total", 1],
  ["node_disk_writes_merged_total", 1],
  ["node_disk_written_bytes_total", SECTOR],
  ["node_disk_write_time_seconds_total", 0.001],
  ["node_disk_io_now", 1],
  ["node_disk_io_time_seconds_total", 0.001],
  ["node_disk_io_time_weighted_seconds_total", 0.001],
  ["node_disk_discards_completed_total", 1],
  ["node_disk_discards_merged_total", 1],
  ["node_disk_discarded_sectors_total", 1],
  ["node_disk_discard_time_seconds_total", 0.001],
  ["node_disk_flush_requests_total", 1],
  ["node_disk_flush_requests_time_seconds_total", 0.001],
];

export const collectDisks: Collect = (emit, host) => {
  for (const line of lines(readText(`${host.proc}/diskstats`))) {
    const [major, minor, device, ...values] = words(line) as [string, string, string, ...string[]];
    if (IGNORED.test(device)) continue;
    const udev = udevProperties(`${host.root}/run/udev/data/b${major}:${minor}`);
    emit(
      "node_disk_info",
      1,
      ...["device", device, "major", major, "minor", minor],
      ...["model", udev.get("ID_MODEL") ?? "", "path", udev.get("ID_PATH") ?? ""],
      ...["revision", udev.get("ID_REVISION") ?? "", "serial", udev.get("ID_SERIAL_SHORT") ?? ""],
      ...["wwn", udev.get("ID_WWN") ?? ""],
    );
    for (const [i, [name, factor]] of FIELDS.entries()) {
      if (values[i] !== undefined) emit(name, Number(values[i]) * factor, "device", device);
    }
  }
};

function udevProperties(path: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of lines(tryReadText(path) ?? "")) {
    const m = /^E:([^=]+)=(.*)$/.exec(line);
    if (m !== null) properties.set(m[1] as string, m[2] as string);
  }
  return properties;
}
