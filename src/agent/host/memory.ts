import { type Collect, lines, readText, words } from "./roots.ts";

/** `Active(anon): 12 kB` becomes node_memory_Active_anon_bytes. */
export const collectMemory: Collect = (emit, host) => {
  for (const line of lines(readText(`${host.proc}/meminfo`))) {
    const [label, amount, unit] = words(line);
    const name = (label as string).replace(/:$/, "").replace(/\((.*)\)/, "_$1");
    if (unit === "kB") emit(`node_memory_${name}_bytes`, Number(amount) * 1024);
    else emit(`node_memory_${name}`, Number(amount));
  }
};

const VMSTAT_FIELDS = /^(oom_kill|pgpg|pswp|pg.*fault).*/;

export const collectVmstat: Collect = (emit, host) => {
  for (const line of lines(readText(`${host.proc}/vmstat`))) {
    const [name, value] = words(line);
    if (VMSTAT_FIELDS.test(name as string)) emit(`node_vmstat_${name}`, Number(value));
  }
};
