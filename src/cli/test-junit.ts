/** The results of test files as JUnit XML, for CI systems. */
export interface JunitSuite {
  readonly name: string;
  /** Why no test of it could be run. */
  readonly problems: readonly string[];
  readonly cases: JunitCase[];
}

export interface JunitCase {
  readonly name: string;
  readonly failures: readonly string[];
  readonly seconds: number;
}

/** @param now for the suites' timestamps */
export function junitXml(suites: readonly JunitSuite[], now = new Date()): string {
  const timestamp = now.toISOString().slice(0, 19);
  return `<testsuites>${suites.map((s) => suiteXml(s, timestamp)).join("")}</testsuites>\n`;
}

function suiteXml({ name, problems, cases }: JunitSuite, timestamp: string): string {
  const failures = cases.reduce((n, c) => n + c.failures.length, 0);
  const counts = `tests="${cases.length}" failures="${failures}" errors="${problems.length}" skipped="0"`;
  const aborted = problems.map((p) => `<system-err>${escapeXml(p)}</system-err>`).join("");
  return `<testsuite name="${escapeXml(name)}" ${counts} timestamp="${timestamp}">${cases.map(caseXml).join("")}${aborted}</testsuite>`;
}

function caseXml({ name, failures, seconds }: JunitCase): string {
  const inside = failures.map((f) => `<failure>${escapeXml(f)}</failure>`).join("");
  return `<testcase name="${escapeXml(name)}" time="${seconds.toFixed(6)}">${inside}</testcase>`;
}

function escapeXml(text: string): string {
  const named: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#xA;" };
  return text
    .toWellFormed()
    .replace(/[&<>"\n]/g, (c) => named[c] as string)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
}
