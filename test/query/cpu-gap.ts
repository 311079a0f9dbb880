/** The CPU time of this thread, ms. A busy machine does not change it, as it does the time on a clock. */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * The longest CPU time between two looks: what is called off at the worst moment goes on for no longer. Call `look` wherever the
 * work asks whether it shall go on, `start` where it begins, and `end` when it is over.
 */
export function gapMeter() {
  let last = cpuMs();
  let longest = 0;
  let looks = 0;
  const look = () => {
    const now = cpuMs();
    if (now - last > longest) longest = now - last;
    last = now;
    looks++;
  };
  return {
    start: () => {
      last = cpuMs();
    },
    look,
    end: () => {
      look();
      return { longest, looks };
    },
  };
}
