/** A block that cannot be read as it should be: what is wrong, and where. */
export class BlockError extends Error {
  /** Id of the block. */
  readonly block: string;
  /** Path of the file. */
  readonly file: string;
  /** Byte in the file. */
  readonly offset: number;
  readonly problem: string;
  constructor(block: string, file: string, offset: number, problem: string, cause?: unknown) {
    super(`${file} at byte ${offset}: ${problem}`, cause === undefined ? {} : { cause });
    this.name = "BlockError";
    this.block = block;
    this.file = file;
    this.offset = offset;
    this.problem = problem;
  }
}

/** One thing that `verifyBlock` found. */
export interface BlockProblem {
  readonly file: string;
  readonly offset: number;
  readonly problem: string;
}
