import { readdirSync } from "node:fs";
import { type Collect, type HostRoots, lines, readText, tryReadNumber, tryReadText, words } from "./roots.ts";

const RECEIVE = ["bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast"] as const;
const TRANSMIT = ["bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed"] as const;

export const collectNetworkDevices: Collect = (emit, host) => {
  for (const line of lines(readText(`${host.proc}/net/dev`)).slice(2)) {
    const colon = line.lastIndexOf(":");
    const device = line.slice(0, colon).trim();
    const values = words(line.slice(colon + 1)).map(Number);
    for (const [i, field] of RECEIVE.entries()) {
      emit(`node_network_receive_${field}_total`, values[i] as number, "device", device);
    }
    for (const [i, field] of TRANSMIT.entries()) {
      emit(`node_network_transmit_${field}_total`, values[RECEIVE.length + i] as number, "device", device);
    }
    const nohandler = tryReadNumber(`${host.sys}/class/net/${device}/statistics/rx_nohandler`);
    if (nohandler !== undefined) emit("node_network_receive_nohandler_total", nohandler, "device", device);
  }
};

const CLASS_FILES: readonly (readonly [file: string, metric: string])[] = [
  ["addr_assign_type", "address_assign_type"],
  ["carrier", "carrier"],
  ["carrier_changes", "carrier_changes_total"],
  ["carrier_up_count", "carrier_up_changes_total"],
  ["carrier_down_count", "carrier_down_changes_total"],
  ["dev_id", "device_id"],
  ["dormant", "dormant"],
  ["flags", "flags"],
  ["ifindex", "iface_id"],
  ["iflink", "iface_link"],
  ["link_mode", "iface_link_mode"],
  ["mtu", "mtu_bytes"],
  ["name_assign_type", "name_assign_type"],
  ["netdev_group", "net_dev_group"],
  ["type", "protocol_type"],
  ["tx_queue_len", "transmit_queue_length"],
];

/** What /sys/class/net says about each device: state, addresses, speed. */
export const collectNetworkClass: Collect = (emit, host) => {
  for (const device of readdirSync(`${host.sys}/class/net`).sort()) {
    const state = classText(host, device, "operstate");
    // bonding_masters is a plain file among the devices.
    if (state === undefined) continue;
    emit("node_network_up", state === "up" ? 1 : 0, "device", device);
    emit(
      "node_network_info",
      1,
      ...["device", device, "operstate", state],
      ...["address", classText(host, device, "address") ?? "", "broadcast", classText(host, device, "broadcast") ?? ""],
      ...["duplex", classText(host, device, "duplex") ?? "", "ifalias", classText(host, device, "ifalias") ?? ""],
    );
    for (const [file, metric] of CLASS_FILES) {
      const value = tryReadNumber(`${host.sys}/class/net/${device}/${file}`);
      if (value !== undefined) emit(`node_network_${metric}`, value, "device", device);
    }
    const megabits = tryReadNumber(`${host.sys}/class/net/${device}/speed`);
    // -1 and 2^32 - 1 stand for "unknown".
    if (megabits !== undefined && megabits >= 0 && megabits < 0xffff_ffff) {
      emit("node_network_speed_bytes", (megabits * 1e6) / 8, "device", device);
    }
  }
};

function classText(host: HostRoots, device: string, file: string): string | undefined {
  return tryReadText(`${host.sys}/class/net/${device}/${file}`)?.trim();
}
