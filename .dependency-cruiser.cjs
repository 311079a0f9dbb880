// The import rule of docs/architecture.md: which folder of src may import which.
const may = {
  lib: [],
  model: ["lib"],
  config: ["lib", "model"],
  storage: ["lib", "model"],
  streams: ["lib", "model"],
  query: ["lib", "model"],
  ui: ["model"],
  agent: ["lib", "model", "streams"],
  actors: ["lib", "model", "config", "storage", "streams", "query"],
  api: ["lib", "model", "query", "actors"],
};
const layers = Object.entries(may).map(([from, to]) => ({
  name: `${from}-imports-only-${to.join("-") || "nothing"}`,
  severity: "error",
  from: { path: `^src/${from}/` },
  to: { path: "^src/", pathNot: `^src/(${[from, ...to].join("|")})/` },
}));
module.exports = {
  forbidden: [
    ...layers,
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "only-tests-and-benches-use-dev-dependencies",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"] },
    },
    { name: "src-imports-no-tests", severity: "error", from: { path: "^src/" }, to: { path: "^(test|bench)/" } },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"] },
  },
};
