import { mkdirSync, mkdtempSync, rmSync, type StatsFs, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { collectHost, hostCollectors } from "../../../src/agent/host/collectors.ts";
import { collectLoad, collectPressure, collectSoftnet, collectStat } from "../../../src/agent/host/cpu.ts";
import { collectDisks } from "../../../src/agent/host/disk.ts";
import { makeFilesystemCollector } from "../../../src/agent/host/filesystem.ts";
import { collectMemory, collectVmstat } from "../../../src/agent/host/memory.ts";
import { collectNetworkClass, collectNetworkDevices } from "../../../src/agent/host/network.ts";
import {
  collectArp,
  collectConntrack,
  collectNetstat,
  collectSockstat,
  collectUdpQueues,
} from "../../../src/agent/host/protocols.ts";
import { type Collect, type HostRoots, LOCAL_HOST } from "../../../src/agent/host/roots.ts";
import {
  collectEntropy,
  collectFileDescriptors,
  collectOs,
  collectSelinux,
  collectThermalZones,
  collectTime,
  collectUname,
} from "../../../src/agent/host/system.ts";
import { addSeries, findNodeExporter, seriesByName, startNodeExporter } from "../node-exporter.ts";

let dir: string;
let host: HostRoots;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "tocsin-host-"));
  host = { proc: join(dir, "proc"), sys: join(dir, "sys"), root: join(dir, "root") };
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Writes files of a made-up host. */
function put(files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Runs one part; its samples as `name{label="value",...}` -> value. */
async function collected(collect: Collect, from: HostRoots = host): Promise<Record<string, number>> {
  const out: Record<string, number> = {};
  await collect((name, value, ...labels) => {
    const pairs: string[] = [];
    for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}="${labels[i + 1]}"`);
    const key = pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
    if (key in out) throw new Error(`${key} twice`);
    out[key] = value;
  }, from);
  return out;
}

describe("a made-up host", () => {
  it("CPU time and the kernel's totals", async () => {
    put({
      "proc/stat": `cpu  10 20 30 40 50 60 70 80 90 100
cpu0 100 200 300 400 500 600 700 800 90 10
cpu12 1 2 3 4
intr 123 4 5 6
ctxt 77
btime 1700000000
processes 42
procs_running 3
procs_blocked 1
softirq 9 9
`,
    });
    const stat = await collected(collectStat);
    expect(stat).toMatchObject({
      'node_cpu_seconds_total{cpu="0",mode="user"}': 1,
      'node_cpu_seconds_total{cpu="0",mode="idle"}': 4,
      'node_cpu_seconds_total{cpu="0",mode="steal"}': 8,
      'node_cpu_guest_seconds_total{cpu="0",mode="user"}': 0.9,
      'node_cpu_guest_seconds_total{cpu="0",mode="nice"}': 0.1,
      'node_cpu_seconds_total{cpu="12",mode="idle"}': 0.04,
      'node_cpu_seconds_total{cpu="12",mode="steal"}': 0,
      node_boot_time_seconds: 1_700_000_000,
      node_context_switches_total: 77,
      node_forks_total: 42,
      node_intr_total: 123,
      node_procs_running: 3,
      node_procs_blocked: 1,
    });
    expect(Object.keys(stat)).toHaveLength(26);
  });

  it("load, pressure, softnet", async () => {
    put({
      "proc/loadavg": "0.12 3.4 56.78 2/333 4444\n",
      "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 total=9\n",
      "proc/pressure/io": "some avg10=0.00 total=2\nfull avg10=0.00 total=3000000\n",
      "proc/pressure/memory": "some avg10=0.00 total=0\nfull avg10=0.00 total=0\n",
      "proc/net/softnet_stat":
        "0000000a 00000001 00000002 0 0 0 0 0 0 0 0 0 00000003 0\n000000ff 00000000 00000000 0 0 0 0 0 0 0 0 0 00000005 0\n",
    });
    expect(await collected(collectLoad)).toEqual({ node_load1: 0.12, node_load5: 3.4, node_load15: 56.78 });
    expect(await collected(collectPressure)).toEqual({
      node_pressure_cpu_waiting_seconds_total: 1.5,
      node_pressure_io_waiting_seconds_total: 0.000002,
      node_pressure_io_stalled_seconds_total: 3,
      node_pressure_memory_waiting_seconds_total: 0,
      node_pressure_memory_stalled_seconds_total: 0,
    });
    expect(await collected(collectSoftnet)).toMatchObject({
      'node_softnet_processed_total{cpu="3"}': 10,
      'node_softnet_processed_total{cpu="5"}': 255,
      'node_softnet_dropped_total{cpu="3"}': 1,
      'node_softnet_times_squeezed_total{cpu="3"}': 2,
    });
  });

  it("memory", async () => {
    put({
      "proc/meminfo": "MemTotal:  1000 kB\nActive(anon):  3 kB\nHugePages_Total:   7\nHugepagesize:  2048 kB\n",
      "proc/vmstat": "pgpgin 1\npgfault 2\npgmajfault 3\npswpout 4\noom_kill 5\nnr_free_pages 6\nthp_fault_alloc 7\n",
    });
    expect(await collected(collectMemory)).toEqual({
      node_memory_MemTotal_bytes: 1_024_000,
      node_memory_Active_anon_bytes: 3072,
      node_memory_HugePages_Total: 7,
      node_memory_Hugepagesize_bytes: 2_097_152,
    });
    expect(await collected(collectVmstat)).toEqual({
      node_vmstat_pgpgin: 1,
      node_vmstat_pgfault: 2,
      node_vmstat_pgmajfault: 3,
      node_vmstat_pswpout: 4,
      node_vmstat_oom_kill: 5,
    });
  });

  it("disks: whole ones only, of old kernels and new", async () => {
    put({
      "proc/diskstats": `   8       0 sda 1 2 3 4000 5 6 7 8000 9 10000 11000 12 13 14 15000 16 17000
   8       1 sda1 1 2 3 4 5 6 7 8 9 10 11
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0
 259       0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11
 259       1 nvme0n1p1 1 2 3 4 5 6 7 8 9 10 11
`,
      "root/run/udev/data/b8:0": "S:disk/by-id/x\nE:ID_MODEL=Best_Disk\nE:ID_SERIAL_SHORT=S1\n",
    });
    const disks = await collected(collectDisks);
    expect(disks).toMatchObject({
      'node_disk_info{device="sda",major="8",minor="0",model="Best_Disk",path="",revision="",serial="S1",wwn=""}': 1,
      'node_disk_reads_completed_total{device="sda"}': 1,
      'node_disk_read_bytes_total{device="sda"}': 1536,
      'node_disk_read_time_seconds_total{device="sda"}': 4,
      'node_disk_written_bytes_total{device="sda"}': 3584,
      'node_disk_io_now{device="sda"}': 9,
      'node_disk_io_time_seconds_total{device="sda"}': 10,
      'node_disk_discarded_sectors_total{device="sda"}': 14,
      'node_disk_flush_requests_time_seconds_total{device="sda"}': 17,
      'node_disk_io_time_weighted_seconds_total{device="nvme0n1"}': 0.011,
    });
    expect(Object.keys(disks)).toHaveLength(18 + 12);
  });

  it("network", async () => {
    put({
      "proc/net/dev": `Inter-|   Receive   |  Transmit
 face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed
  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
eth0:1:21 22 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`,
      "sys/class/net/bonding_masters": "bond0\n",
      "sys/class/net/eth0/operstate": "up\n",
      "sys/class/net/eth0/address": "02:00:00:00:00:01\n",
      "sys/class/net/eth0/broadcast": "ff:ff:ff:ff:ff:ff\n",
      "sys/class/net/eth0/flags": "0x1003\n",
      "sys/class/net/eth0/mtu": "1500\n",
      "sys/class/net/eth0/speed": "1000\n",
      "sys/class/net/eth0/statistics/rx_nohandler": "5\n",
      "sys/class/net/dummy0/operstate": "down\n",
      "sys/class/net/dummy0/speed": "-1\n",
    });
    const devices = await collected(collectNetworkDevices);
    expect(devices).toMatchObject({
      'node_network_receive_bytes_total{device="eth0"}': 1,
      'node_network_receive_multicast_total{device="eth0"}': 8,
      'node_network_transmit_bytes_total{device="eth0"}': 9,
      'node_network_transmit_compressed_total{device="eth0"}': 16,
      'node_network_receive_nohandler_total{device="eth0"}': 5,
      'node_network_receive_bytes_total{device="eth0:1"}': 21,
    });
    expect(await collected(collectNetworkClass)).toEqual({
      'node_network_up{device="dummy0"}': 0,
      'node_network_info{device="dummy0",operstate="down",address="",broadcast="",duplex="",ifalias=""}': 1,
      'node_network_up{device="eth0"}': 1,
      'node_network_info{device="eth0",operstate="up",address="02:00:00:00:00:01",broadcast="ff:ff:ff:ff:ff:ff",duplex="",ifalias=""}': 1,
      'node_network_flags{device="eth0"}': 4099,
      'node_network_mtu_bytes{device="eth0"}': 1500,
      'node_network_speed_bytes{device="eth0"}': 125_000_000,
    });
  });

  it("protocols", async () => {
    put({
      "proc/net/netstat": "TcpExt: SyncookiesSent PFMemallocDrop\nTcpExt: 3 4\nIpExt: InOctets OutOctets\nIpExt: 5 6\n",
      "proc/net/snmp": "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoMin CurrEstab InErrs\nTcp: 200 -7 8\n",
      "proc/net/snmp6": "Ip6InOctets 9\nUdp6InErrors 10\nIcmp6InType1 11\n",
      "proc/net/sockstat": "sockets: used 17\nTCP: inuse 2 mem 3\n",
      "proc/net/sockstat6": "TCP6: inuse 4\n",
      "proc/net/udp":
        "sl local rem st tx_queue rx_queue\n 1: 0:0 0:0 07 0000000A:00000010 0\n 2: 0:0 0:0 07 00000001:00000002 0\n",
      "proc/net/arp":
        "IP HW Flags HW Mask Device\n1.1.1.1 0x1 0x2 aa * eth0\n1.1.1.2 0x1 0x2 bb * eth0\n1.1.1.3 0x1 0x2 cc * eth1\n",
      "proc/sys/net/netfilter/nf_conntrack_count": "12\n",
      "proc/sys/net/netfilter/nf_conntrack_max": "1000\n",
      "proc/net/stat/nf_conntrack": "entries found drop\n0000000c 00000001 00000002\n0000000c 0000000f 00000001\n",
    });
    expect(await collected(collectNetstat)).toEqual({
      node_netstat_TcpExt_SyncookiesSent: 3,
      node_netstat_IpExt_InOctets: 5,
      node_netstat_IpExt_OutOctets: 6,
      node_netstat_Ip_Forwarding: 1,
      node_netstat_Tcp_CurrEstab: -7,
      node_netstat_Tcp_InErrs: 8,
      node_netstat_Ip6_InOctets: 9,
      node_netstat_Udp6_InErrors: 10,
    });
    expect(await collected(collectSockstat)).toEqual({
      node_sockstat_sockets_used: 17,
      node_sockstat_TCP_inuse: 2,
      node_sockstat_TCP_mem: 3,
      node_sockstat_TCP_mem_bytes: 12_288,
      node_sockstat_TCP6_inuse: 4,
    });
    expect(await collected(collectUdpQueues)).toEqual({
      'node_udp_queues{ip="v4",queue="tx"}': 11,
      'node_udp_queues{ip="v4",queue="rx"}': 18,
    });
    expect(await collected(collectArp)).toEqual({
      'node_arp_entries{device="eth0"}': 2,
      'node_arp_entries{device="eth1"}': 1,
    });
    expect(await collected(collectConntrack)).toEqual({
      node_nf_conntrack_entries: 12,
      node_nf_conntrack_entries_limit: 1000,
      node_nf_conntrack_stat_found: 16,
      node_nf_conntrack_stat_drop: 3,
    });
  });

  it("system", async () => {
    put({
      "proc/sys/kernel/ostype": "Linux\n",
      "proc/sys/kernel/osrelease": "6.1.0\n",
      "proc/sys/kernel/version": "#1 SMP\n",
      "proc/sys/kernel/hostname": "web-1\n",
      "proc/sys/kernel/domainname": "(none)\n",
      "proc/sys/kernel/arch": "aarch64\n",
      "root/etc/os-release": 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.19.1\nPRETTY_NAME=\'Alpine "Linux"\'\n',
      "proc/sys/fs/file-nr": "650\t0\t9223372036854775807\n",
      "proc/sys/kernel/random/entropy_avail": "256\n",
      "proc/sys/kernel/random/poolsize": "256\n",
      "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet\n",
      "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc\n",
      "sys/class/thermal/thermal_zone0/type": "x86_pkg_temp\n",
      "sys/class/thermal/thermal_zone0/temp": "42500\n",
      "sys/class/thermal/cooling_device1/type": "Processor\n",
      "sys/class/thermal/cooling_device1/cur_state": "1\n",
      "sys/class/thermal/cooling_device1/max_state": "3\n",
      "sys/fs/selinux/enforce": "1",
    });
    expect(await collected(collectUname)).toEqual({
      'node_uname_info{sysname="Linux",release="6.1.0",version="#1 SMP",nodename="web-1",domainname="(none)",machine="aarch64"}': 1,
    });
    const os = await collected(collectOs);
    expect(os).toHaveProperty(['node_os_version{id="alpine",id_like="",name="Alpine Linux"}'], 3.19);
    expect(Object.keys(os)[0]).toContain('pretty_name="Alpine "Linux""');
    expect(await collected(collectFileDescriptors)).toMatchObject({ node_filefd_allocated: 650 });
    expect(await collected(collectEntropy)).toMatchObject({ node_entropy_available_bits: 256 });
    expect(await collected(collectSelinux)).toEqual({ node_selinux_enabled: 1, node_selinux_current_mode: 1 });
    expect(await collected(collectThermalZones)).toEqual({
      'node_thermal_zone_temp{zone="0",type="x86_pkg_temp"}': 42.5,
      'node_cooling_device_cur_state{name="1",type="Processor"}': 1,
      'node_cooling_device_max_state{name="1",type="Processor"}': 3,
    });
    expect(await collected(collectTime(() => 1_700_000_000_500))).toMatchObject({
      node_time_seconds: 1_700_000_000.5,
      'node_time_clocksource_current_info{device="0",clocksource="tsc"}': 1,
    });
  });

  it("parts that are not there fail by themselves", async () => {
    put({ "proc/loadavg": "1 2 3 1/1 1\n" });
    const all = await collected((emit, from) =>
      collectHost(
        hostCollectors(() => 0),
        from,
        emit,
      ),
    );
    expect(all).toMatchObject({
      node_load1: 1,
      'node_scrape_collector_success{collector="loadavg"}': 1,
      'node_scrape_collector_success{collector="cpu"}': 0,
      'node_scrape_collector_success{collector="filesystem"}': 0,
    });
  });
});

describe("file systems", () => {
  const stats = { bsize: 4096, blocks: 100, bfree: 50, bavail: 40, files: 10, ffree: 9 } as StatsFs;

  it("are those that hold data, with the blanks of their paths", async () => {
    put({
      "proc/1/mounts": `/dev/sda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
tmpfs /run tmpfs ro,nosuid 0 0
/dev/sdb1 /mnt/my\\040disk xfs rw 0 0
/dev/sdb1 /mnt/my\\040disk xfs rw 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
`,
    });
    const asked: string[] = [];
    const collect = makeFilesystemCollector({
      timeoutMs: 1000,
      statfs: async (path) => {
        asked.push(path);
        return stats;
      },
    });
    const labels = 'device="/dev/sdb1",mountpoint="/mnt/my disk",fstype="xfs"';
    expect(await collected(collect)).toMatchObject({
      [`node_filesystem_size_bytes{${labels}}`]: 409_600,
      [`node_filesystem_free_bytes{${labels}}`]: 204_800,
      [`node_filesystem_avail_bytes{${labels}}`]: 163_840,
      [`node_filesystem_files{${labels}}`]: 10,
      [`node_filesystem_files_free{${labels}}`]: 9,
      [`node_filesystem_readonly{${labels}}`]: 0,
      [`node_filesystem_device_error{${labels}}`]: 0,
      'node_filesystem_readonly{device="tmpfs",mountpoint="/run",fstype="tmpfs"}': 1,
    });
    expect(asked).toEqual([`${host.root}/`, `${host.root}/run`, `${host.root}/mnt/my disk`]);
  });

  it("that hang are errors, are not asked again, and at most two remote ones hold a thread", async () => {
    put({
      "proc/1/mounts":
        "dev / ext4 rw 0 0\nsrv:/1 /nfs1 nfs4 rw 0 0\nsrv:/2 /nfs2 nfs4 rw 0 0\nsrv:/3 /nfs3 nfs4 rw 0 0\n",
    });
    const asked: string[] = [];
    const answers = new Map<string, (stats: StatsFs) => void>();
    let dead = true;
    const collect = makeFilesystemCollector({
      timeoutMs: 10,
      statfs: (path) => {
        const mount = path.slice(host.root.length);
        asked.push(mount);
        if (mount === "/" || !dead) return Promise.resolve(stats);
        return new Promise((resolve) => answers.set(mount, resolve));
      },
    });
    const errors = async (): Promise<string[]> =>
      Object.entries(await collected(collect)).flatMap(([key, value]) =>
        key.startsWith("node_filesystem_device_error") && value === 1
          ? [/mountpoint="([^"]*)"/.exec(key)?.[1] ?? ""]
          : [],
      );
    expect(await errors()).toEqual(["/nfs1", "/nfs2", "/nfs3"]);
    expect(asked).toEqual(["/", "/nfs1", "/nfs2"]);
    expect(await errors()).toEqual(["/nfs1", "/nfs2", "/nfs3"]);
    expect(asked).toEqual(["/", "/nfs1", "/nfs2", "/"]);
    dead = false;
    answers.get("/nfs2")?.(stats);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await errors()).toEqual(["/nfs1"]);
    answers.get("/nfs1")?.(stats);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await errors()).toEqual([]);
  });
});

const binary = findNodeExporter();

describe.skipIf(binary === undefined)(
  `beside a real node_exporter${binary === undefined ? " (none is installed)" : ""}`,
  () => {
    /** Of node_exporter, but not of ours: its own affairs, and what only a system call tells. */
    const NOT_OURS =
      /^node_(exporter_build_info|textfile_scrape_error|timex_.*|time_zone_offset_seconds)$|^(go|process|promhttp)_/;
    /** Parts that a packaged build may have turned off, or that differ between its releases. */
    const MAY_BE_OURS_ALONE = /^node_netstat_TcpExt_(TCPOFOQueue|TCPRcvQDrop)$|^node_pressure_irq_/;
    /** Which devices are shown is a matter of settings, and a negative speed stands for "unknown". */
    const OTHER_SETS =
      /^node_(network_speed_bytes|scrape_collector_.*)$|^node_(network_(receive|transmit)|disk|filesystem)_/;
    /** Change from one moment to the next, more than a little. */
    const MOVING =
      /^node_(scrape_collector_.*|memory_.*|procs_.*|load.*|filefd_allocated|sockstat_.*|netstat_.*|network_(receive|transmit)_.*|disk_.*|vmstat_.*|intr_total|softnet_.*|filesystem_.*|udp_queues|entropy_.*|nf_conntrack_.*|arp_entries)$/;

    it("has the same names, labels and values", { timeout: 90_000 }, async () => {
      const exporter = await startNodeExporter(binary as string);
      try {
        const theirs = seriesByName(await (await fetch(`http://${exporter.address}/metrics`)).text());
        const ours = new Map<string, Map<string, number>>();
        await collectHost(hostCollectors(Date.now), LOCAL_HOST, (name, value, ...labels) => {
          const pairs: string[] = ["__name__", name];
          const order = [...Array(labels.length / 2).keys()].sort((a, b) =>
            (labels[2 * a] ?? "") < (labels[2 * b] ?? "") ? -1 : 1,
          );
          for (const i of order) pairs.push(labels[2 * i] as string, labels[2 * i + 1] as string);
          addSeries(ours, pairs, value);
        });
        const filled = (sets: Map<string, number>): string[] =>
          [...sets.keys()]
            .map((k) => JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(k)).filter(([, v]) => v !== ""))))
            .sort();
        const missing = [...theirs.keys()].filter((n) => !NOT_OURS.test(n) && !ours.has(n) && !OTHER_SETS.test(n));
        expect(missing).toEqual([]);
        const extra = [...ours.keys()].filter((n) => !theirs.has(n) && !MAY_BE_OURS_ALONE.test(n));
        expect(extra).toEqual([]);
        let compared = 0;
        for (const [name, sets] of ours) {
          const their = theirs.get(name);
          if (their === undefined) continue;
          if (OTHER_SETS.test(name)) {
            const labelNames = (keys: Iterable<string>) =>
              new Set(
                [...keys].flatMap((k) => Object.entries(JSON.parse(k)).flatMap(([n, v]) => (v === "" ? [] : [n]))),
              );
            expect(labelNames(sets.keys()), name).toEqual(labelNames(their.keys()));
            continue;
          }
          expect(filled(sets), name).toEqual(filled(their));
          if (MOVING.test(name)) continue;
          const total = (values: Iterable<number>) => [...values].reduce((a, b) => a + b, 0);
          const [a, b] = [total(sets.values()), total(their.values())];
          expect(Math.abs(a - b) / Math.max(1, Math.abs(b)), `${name}: ${a} and ${b}`).toBeLessThan(0.02);
          compared++;
        }
        expect(compared).toBeGreaterThan(30);
        const both = (name: string) => [ours.get(name)?.values().next().value, theirs.get(name)?.values().next().value];
        const [ourTotal, theirTotal] = both("node_memory_MemTotal_bytes");
        expect(ourTotal).toBe(theirTotal);
        const [ourSize, theirSize] = both("node_filesystem_size_bytes");
        expect(ourSize).toBe(theirSize);
      } finally {
        exporter.stop();
      }
    });
  },
);
