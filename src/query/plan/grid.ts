/**
 * The points in time at which an expression is evaluated: `start + i * step` for i in [0, steps), Unix milliseconds.
 * An instant query is a grid of one point. `step` is never 0.
 */
export interface Grid {
  readonly start: number;
  readonly step: number;
  readonly steps: number;
}

export function gridEnd(grid: Grid): number {
  return grid.start + (grid.steps - 1) * grid.step;
}

/** The grid of a range query: every point from start to end, both inclusive. */
export function makeGrid(start: number, end: number, step: number): Grid {
  return { start, step, steps: Math.floor((end - start) / step) + 1 };
}

export function instantGrid(time: number): Grid {
  return { start: time, step: 1, steps: 1 };
}
