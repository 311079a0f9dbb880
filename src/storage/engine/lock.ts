/** Work that must not overlap, one after the other in the order of asking. A failure is its asker's alone. */
export interface Lock {
  run<T>(work: () => Promise<T>): Promise<T>;
}

export function makeLock(): Lock {
  let last: Promise<unknown> = Promise.resolve();
  return {
    run: (work) => {
      const mine = last.then(work, work);
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}
