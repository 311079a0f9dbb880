import { ApiError, instant, range } from "./api.ts";
import { makeChart } from "./chart.ts";
import { byId, el, fillRanges, table } from "./dom.ts";
import { metricText, plain } from "./format.ts";

/** More lines than this nobody can read; the table has them all. */
const MOST_LINES = 60;
const POINTS = 300;

/** The box for PromQL: a graph over a range or a table of now; the query stands in the page's address. */
export function makeQuerySection(): { refresh(): Promise<void> } {
  const form = byId<HTMLFormElement>("query-form");
  const input = byId<HTMLTextAreaElement>("expr");
  const ranges = byId<HTMLSelectElement>("query-range");
  const note = byId("query-note");
  const error = byId("query-error");
  const graph = byId("query-graph");
  const list = byId("query-table");
  fillRanges(ranges, 900);
  const chart = makeChart(graph);
  const params = new URLSearchParams(location.search);
  // Prometheus's own parameter names: links in alerts (generatorURL) and from other tools open here.
  input.value = params.get("g0.expr") ?? "";
  if (params.get("g0.tab") === "1") setTab("table");

  const run = async () => {
    const query = input.value.trim();
    if (query === "") return;
    const began = performance.now();
    note.textContent = "running";
    try {
      const shown = tab() === "graph" ? await drawGraph(query) : await drawTable(query);
      error.hidden = true;
      note.textContent = `${shown} in ${Math.round(performance.now() - began)} ms`;
    } catch (e) {
      note.textContent = "";
      error.textContent =
        e instanceof ApiError ? withCaret(query, e.message) : `no answer from Tocsin: ${(e as Error).message}`;
      error.hidden = false;
      graph.hidden = true;
      list.hidden = true;
    }
  };

  async function drawGraph(query: string): Promise<string> {
    const seconds = Number(ranges.value);
    const step = Math.max(1, Math.ceil(seconds / POINTS));
    const end = Math.floor(Date.now() / 1000 / step) * step;
    const start = end - seconds;
    const { data, warnings } = await range(query, start, end, step);
    graph.hidden = false;
    list.hidden = true;
    const series = data.result.slice(0, MOST_LINES);
    if (series.length === 0) {
      chart.clear();
      graph.replaceChildren(el("p", { class: "empty" }, "no samples in this range"));
    } else chart.draw({ start, end, step, series, label: metricText, format: plain, height: 340 });
    return summary(data.result.length, MOST_LINES, warnings);
  }

  async function drawTable(query: string): Promise<string> {
    const { data, warnings } = await instant(query);
    graph.hidden = true;
    list.hidden = false;
    let rows: string[][];
    if (data.resultType === "vector") rows = data.result.map((p) => [metricText(p.metric), p.value[1]]);
    else if (data.resultType === "matrix") {
      rows = data.result.map((s) => [metricText(s.metric), s.values.map(([t, v]) => `${v} @${t}`).join("\n")]);
    } else rows = [[data.resultType, data.result[1]]];
    list.replaceChildren(table(["Series", "Value"], rows, [1]));
    return summary(rows.length, Number.POSITIVE_INFINITY, warnings);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    remember(input.value, tab());
    void run();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    form.requestSubmit();
  });
  ranges.addEventListener("change", () => void run());
  for (const radio of form.querySelectorAll("input[name=tab]")) radio.addEventListener("change", () => void run());
  return { refresh: run };
}

function summary(count: number, most: number, warnings: readonly string[]): string {
  const shown = count > most ? `${most} of ${count} series` : `${count} series`;
  return warnings.length > 0 ? `${shown} (${warnings.join("; ")})` : shown;
}

function tab(): string {
  return document.querySelector<HTMLInputElement>("input[name=tab]:checked")?.value ?? "graph";
}

function setTab(value: string): void {
  const radio = document.querySelector<HTMLInputElement>(`input[name=tab][value=${value}]`);
  if (radio !== null) radio.checked = true;
}

function remember(query: string, shown: string): void {
  const params = new URLSearchParams({ "g0.expr": query, "g0.tab": shown === "table" ? "1" : "0" });
  history.replaceState(null, "", `graph?${params}${location.hash}`);
}

/** The message, and under the query's line a caret at the place that it names (`line:column: parse error`). */
function withCaret(query: string, message: string): string {
  const place = /(\d+):(\d+): parse error/.exec(message);
  const line = place === null ? undefined : query.split("\n")[Number(place[1]) - 1];
  if (place === null || line === undefined) return message;
  return `${line}\n${" ".repeat(Math.max(0, Number(place[2]) - 1))}^\n${message}`;
}
