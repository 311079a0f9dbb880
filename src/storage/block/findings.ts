import { DiskError } from "../../lib/disk.ts";
import { BlockError, type BlockProblem } from "./block-error.ts";

/** More problems are not listed. */
const MOST = 100;

/** Collects what is found. */
export interface Findings {
  readonly problems: BlockProblem[];
  add(file: string, offset: number, problem: string): void;
  /** Runs a check; what it throws is a finding. */
  check(work: () => void): void;
}

export function makeFindings(): Findings {
  const problems: BlockProblem[] = [];
  const add = (file: string, offset: number, problem: string): void => {
    if (problems.length < MOST) problems.push({ file, offset, problem });
  };
  return {
    problems,
    add,
    check: (work) => {
      try {
        work();
      } catch (error) {
        if (error instanceof DiskError) throw error;
        if (error instanceof BlockError) add(error.file, error.offset, error.problem);
        else add("", 0, error instanceof Error ? error.message : String(error));
      }
    },
  };
}
