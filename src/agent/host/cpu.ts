import { type Collect, lines, readText, words } from "./roots.ts";

/** Ticks of /proc/stat a second; fixed by the kernel's interface on Linux. */
const USER_HZ = 100;
const MODES = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"] as const;
const TOTALS: Readonly<Record<string, string>> = {
  btime: "node_boot_time_seconds",
  ctxt: "node_context_switches_total",
  processes: "node_forks_total",
  intr: "node_intr_total",
  procs_running: "node_procs_running",
  procs_blocked: "node_procs_blocked",
};

/** CPU time by mode, and the kernel's totals of the same file. */
export const collectStat: Collect = (emit, host) => {
  for (const line of lines(readText(`${host.proc}/stat`))) {
    const fields = words(line);
    const key = fields[0] as string;
    const total = TOTALS[key];
    if (total !== undefined) emit(total, Number(fields[1]));
    else if (/^cpu\d+$/.test(key)) emitCpu(emit, key.slice(3), fields);
  }
};

function emitCpu(emit: Parameters<Collect>[0], cpu: string, fields: readonly string[]): void {
  for (const [i, mode] of MODES.entries()) {
    emit("node_cpu_seconds_total", seconds(fields[i + 1]), "cpu", cpu, "mode", mode);
  }
  emit("node_cpu_guest_seconds_total", seconds(fields[9]), "cpu", cpu, "mode", "user");
  emit("node_cpu_guest_seconds_total", seconds(fields[10]), "cpu", cpu, "mode", "nice");
}

function seconds(ticks: string | undefined): number {
  return Number(ticks ?? 0) / USER_HZ;
}

export const collectLoad: Collect = (emit, host) => {
  const [one, five, fifteen] = words(readText(`${host.proc}/loadavg`));
  emit("node_load1", Number(one));
  emit("node_load5", Number(five));
  emit("node_load15", Number(fifteen));
};

/** Pressure stall information: time that tasks waited for CPU, memory and IO (Linux 4.20 and newer). */
export const collectPressure: Collect = (emit, host) => {
  for (const resource of ["cpu", "io", "memory", "irq"] as const) {
    let text: string;
    try {
      text = readText(`${host.proc}/pressure/${resource}`);
    } catch (error) {
      if (resource === "irq") continue;
      throw error;
    }
    for (const line of lines(text)) {
      const kind = line.startsWith("some") ? "waiting" : "stalled";
      const total = /total=(\d+)/.exec(line)?.[1];
      // The kernel gives a meaningless `full` line for the CPU of the whole system.
      if (total === undefined || (resource === "cpu" && kind === "stalled")) continue;
      emit(`node_pressure_${resource}_${kind}_seconds_total`, Number(total) / 1e6);
    }
  }
};

export const collectSoftnet: Collect = (emit, host) => {
  for (const [row, line] of lines(readText(`${host.proc}/net/softnet_stat`)).entries()) {
    const fields = words(line).map((field) => Number.parseInt(field, 16));
    const cpu = String(fields[12] ?? row);
    emit("node_softnet_processed_total", fields[0] as number, "cpu", cpu);
    emit("node_softnet_dropped_total", fields[1] as number, "cpu", cpu);
    emit("node_softnet_times_squeezed_total", fields[2] as number, "cpu", cpu);
  }
};
