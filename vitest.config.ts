import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** These start servers, threads and processes. */
const SLOW = /\/test\/(actors|agent|bin|cli|e2e|faults|streams\/nats)\//;

/** End-to-end tests that measure what a machine has to give. */
const ALONE = ["test/e2e/overload.test.ts"];
const E2E = { testTimeout: 120_000, hookTimeout: 120_000 };

/** Many tests wait for a disk, a server or a deadline: two cores do well with three. */
const WORKERS = Math.max(3, availableParallelism() - 1);

/** What takes no time is told first; within each of the two halves the longest file comes first, so that no worker is left with it. */
class FastFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = (file: TestSpecification) => SLOW.test(file.moduleId);
    return [...sorted.filter((f) => !isSlow(f)), ...sorted.filter(isSlow)];
  }
}

// viteModuleRunner: false runs the tests under Node's own type stripping, as production runs: what Node refuses fails here too.
export default defineConfig({
  test: {
    // One folder for the run's temporary files; nats-server is fetched once, so that no test's time runs out over a download.
    globalSetup: ["./test/support/run-folder.setup.ts", "./test/streams/nats/obtain.setup.ts"],
    experimental: { viteModuleRunner: false },
    sequence: { sequencer: FastFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**"],
          // A worker reads each module once for all its files: that takes a third off the whole. Tests leave nothing behind in modules.
          isolate: false,
          maxWorkers: WORKERS,
          // Machines are shared: what hangs fails, what is slow does not.
          testTimeout: 90_000,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude: ALONE,
          ...E2E,
          maxWorkers: WORKERS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: { name: "e2e-alone", include: ALONE, ...E2E, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
