/** Wakes the one loop that waits for any of several sources. A ring that nobody waits for is not lost. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, at once when it has rung since the last wait, or after so long. */
  wait(atMostMs: number): Promise<void>;
}

export function makeBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    wait: async (atMostMs) => {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, atMostMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = undefined;
      }
      rung = false;
    },
  };
}
