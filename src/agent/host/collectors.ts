import { collectLoad, collectPressure, collectSoftnet, collectStat } from "./cpu.ts";
import { collectDisks } from "./disk.ts";
import { makeFilesystemCollector } from "./filesystem.ts";
import { collectMemory, collectVmstat } from "./memory.ts";
import { collectNetworkClass, collectNetworkDevices } from "./network.ts";
import { collectArp, collectConntrack, collectNetstat, collectSockstat, collectUdpQueues } from "./protocols.ts";
import type { Collect, Emit, HostRoots } from "./roots.ts";
import {
  collectEntropy,
  collectFileDescriptors,
  collectOs,
  collectSelinux,
  collectThermalZones,
  collectTime,
  collectUname,
} from "./system.ts";

export interface Collector {
  /** The label `collector` of node_scrape_collector_success. */
  readonly name: string;
  readonly collect: Collect;
}

/** Parts of the host that are read, under node_exporter's names. */
export function hostCollectors(now: () => number, filesystemTimeoutMs = 2000): readonly Collector[] {
  return [
    { name: "arp", collect: collectArp },
    { name: "conntrack", collect: collectConntrack },
    { name: "cpu", collect: collectStat },
    { name: "diskstats", collect: collectDisks },
    { name: "entropy", collect: collectEntropy },
    { name: "filefd", collect: collectFileDescriptors },
    { name: "filesystem", collect: makeFilesystemCollector({ timeoutMs: filesystemTimeoutMs }) },
    { name: "loadavg", collect: collectLoad },
    { name: "meminfo", collect: collectMemory },
    { name: "netclass", collect: collectNetworkClass },
    { name: "netdev", collect: collectNetworkDevices },
    { name: "netstat", collect: collectNetstat },
    { name: "os", collect: collectOs },
    { name: "pressure", collect: collectPressure },
    { name: "selinux", collect: collectSelinux },
    { name: "sockstat", collect: collectSockstat },
    { name: "softnet", collect: collectSoftnet },
    { name: "thermal_zone", collect: collectThermalZones },
    { name: "time", collect: collectTime(now) },
    { name: "udp_queues", collect: collectUdpQueues },
    { name: "uname", collect: collectUname },
    { name: "vmstat", collect: collectVmstat },
  ];
}

/**
 * Reads every part, and says of each how long it took and whether it could be read; one that fails (no such file on this
 * machine) leaves the others alone.
 */
export async function collectHost(collectors: readonly Collector[], host: HostRoots, emit: Emit): Promise<void> {
  for (const { name, collect } of collectors) {
    const start = performance.now();
    let success = 1;
    try {
      await collect(emit, host);
    } catch {
      success = 0;
    }
    const seconds = (performance.now() - start) / 1000;
    emit("node_scrape_collector_duration_seconds", seconds, "collector", name);
    emit("node_scrape_collector_success", success, "collector", name);
  }
}
