import { readFileSync } from "node:fs";
import { type Collect, type HostRoots, lines, readText, tryReadNumber, tryReadText, words } from "./roots.ts";

const NETSTAT_FIELDS =
  /^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$/;

/** Counters of the protocols: /proc/net/netstat and snmp (pairs of a line of names and one of values), snmp6. */
export const collectNetstat: Collect = (emit, host) => {
  const take = (name: string, value: string): void => {
    if (NETSTAT_FIELDS.test(name)) emit(`node_netstat_${name}`, Number(value));
  };
  for (const file of ["netstat", "snmp"]) {
    const rows = lines(readText(`${host.proc}/net/${file}`));
    for (let i = 0; i + 1 < rows.length; i += 2) {
      const names = words(rows[i] as string);
      const values = words(rows[i + 1] as string);
      const protocol = (names[0] as string).replace(/:$/, "");
      for (let k = 1; k < names.length; k++) take(`${protocol}_${names[k]}`, values[k] ?? "0");
    }
  }
  // Absent where IPv6 is turned off.
  for (const line of lines(tryReadText(`${host.proc}/net/snmp6`) ?? "")) {
    const [name, value] = words(line) as [string, string];
    const six = name.indexOf("6");
    if (six > 0) take(`${name.slice(0, six + 1)}_${name.slice(six + 1)}`, value);
  }
};

export const collectSockstat: Collect = (emit, host) => {
  const page = pageSize(host);
  const text = `${readText(`${host.proc}/net/sockstat`)}\n${tryReadText(`${host.proc}/net/sockstat6`) ?? ""}`;
  for (const line of lines(text)) {
    const [label, ...pairs] = words(line) as [string, ...string[]];
    const protocol = label.replace(/:$/, "");
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      const value = Number(pairs[i + 1]);
      emit(`node_sockstat_${protocol}_${pairs[i]}`, value);
      if (pairs[i] === "mem") emit(`node_sockstat_${protocol}_mem_bytes`, value * page);
    }
  }
};

/** Bytes of a memory page, from the auxiliary vector (AT_PAGESZ) that the kernel gave to this process. */
function pageSize(host: HostRoots): number {
  try {
    const vector = readFileSync(`${host.proc}/self/auxv`);
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      if (vector.readBigUInt64LE(at) === 6n) return Number(vector.readBigUInt64LE(at + 8));
    }
  } catch {
    // No such file in a foreign /proc: the size of nearly all machines.
  }
  return 4096;
}

/** Bytes that wait in the queues of all UDP sockets. */
export const collectUdpQueues: Collect = (emit, host) => {
  for (const [ip, file] of [
    ["v4", "udp"],
    ["v6", "udp6"],
  ] as const) {
    const text = ip === "v4" ? readText(`${host.proc}/net/${file}`) : tryReadText(`${host.proc}/net/${file}`);
    if (text === undefined) continue;
    let tx = 0;
    let rx = 0;
    for (const line of lines(text).slice(1)) {
      const [sent, received] = (words(line)[4] ?? "0:0").split(":");
      tx += Number.parseInt(sent ?? "0", 16);
      rx += Number.parseInt(received ?? "0", 16);
    }
    emit("node_udp_queues", tx, "ip", ip, "queue", "tx");
    emit("node_udp_queues", rx, "ip", ip, "queue", "rx");
  }
};

export const collectArp: Collect = (emit, host) => {
  const entries = new Map<string, number>();
  for (const line of lines(readText(`${host.proc}/net/arp`)).slice(1)) {
    const device = words(line).at(-1) as string;
    entries.set(device, (entries.get(device) ?? 0) + 1);
  }
  for (const [device, count] of entries) emit("node_arp_entries", count, "device", device);
};

const CONNTRACK_STATS = [
  "found",
  "invalid",
  "ignore",
  "insert",
  "insert_failed",
  "drop",
  "early_drop",
  "search_restart",
] as const;

/** The connection tracker; the files are absent where its module is not loaded. */
export const collectConntrack: Collect = (emit, host) => {
  const base = `${host.proc}/sys/net/netfilter/nf_conntrack`;
  const entries = tryReadNumber(`${base}_count`);
  const limit = tryReadNumber(`${base}_max`);
  if (entries === undefined || limit === undefined) throw new Error("no connection tracker");
  emit("node_nf_conntrack_entries", entries);
  emit("node_nf_conntrack_entries_limit", limit);
  const rows = lines(tryReadText(`${host.proc}/net/stat/nf_conntrack`) ?? "").map(words);
  const names = rows[0];
  if (names === undefined) return;
  for (const stat of CONNTRACK_STATS) {
    const column = names.indexOf(stat);
    if (column < 0) continue;
    let sum = 0;
    for (const row of rows.slice(1)) sum += Number.parseInt(row[column] ?? "0", 16);
    emit(`node_nf_conntrack_stat_${stat}`, sum);
  }
};
