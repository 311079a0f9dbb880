/**
 * Lets work stand still for a moment: who applies frames looks at `held` right before each and waits for what it gives. Several
 * may hold it at once.
 */
export interface Gate {
  /** Undefined when it is open; else what resolves when it may be. Look again afterwards. */
  held(): Promise<void> | undefined;
  /** Closes it; call what is returned to let go. */
  hold(): () => void;
}

export function makeGate(): Gate {
  let holders = 0;
  let opened: PromiseWithResolvers<void> | undefined;
  return {
    held: () => opened?.promise,
    hold: () => {
      holders++;
      opened ??= Promise.withResolvers<void>();
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        if (--holders > 0) return;
        opened?.resolve();
        opened = undefined;
      };
    },
  };
}
