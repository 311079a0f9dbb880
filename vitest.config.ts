import { defineConfig } from "vitest/config";

// viteModuleRunner: false runs the tests under Node's own type stripping, as production runs: what Node refuses fails here too.
export default defineConfig({
  test: {
    // Fetches nats-server once, so that no test's time runs out over a download.
    globalSetup: ["./test/streams/nats/obtain.setup.ts"],
    experimental: { viteModuleRunner: false },
    projects: [
      { extends: true, test: { name: "unit", include: ["test/**/*.test.ts"], exclude: ["test/e2e/**"] } },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
