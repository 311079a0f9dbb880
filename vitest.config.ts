import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** These start servers, threads and processes. */
const SLOW = /\/test\/(actors|agent|bin|cli|e2e|faults|streams\/nats)\//;

/** End-to-end tests that measure what a machine has to give. */
const ALONE = ["test/e2e/overload.test.ts"];
const E2E = { testTimeout: 120_000, hookTimeout: 120_000 };

/** Many tests wait for a disk, a server or a deadline: two cores do well with three, and with twice as many where nearly all do. */
const WORKERS = Math.max(3, availableParallelism() - 1);
const E2E_WORKERS = 2 * WORKERS;

/** On a machine that has not run them yet files are known by their size, which says nothing of these. */
const LONGEST = [
  "e2e/storage-retention",
  "e2e/storage-rules",
  "e2e/watchdog",
  "e2e/promqltest-http",
  "e2e/faults",
  "e2e/paging-two",
  "e2e/escalation",
  "e2e/storage-admin",
  "e2e/kill-soak",
  "actors/shard/lanes",
  "actors/alert/crash",
  "cli/watchdog",
];

/** What takes no time is told first; within each of the two halves the longest file comes first, so that no worker is left with it. */
class FastFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = (file: TestSpecification) => LONGEST.some((name) => file.moduleId.endsWith(`${name}.test.ts`));
    const isSlow = (file: TestSpecification) => SLOW.test(file.moduleId);
    const slow = sorted.filter(isSlow);
    return [...sorted.filter((f) => !isSlow(f)), ...slow.filter(isLong), ...slow.filter((f) => !isLong(f))];
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
          maxWorkers: E2E_WORKERS,
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
