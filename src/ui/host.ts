import { call, range, type Series } from "./api.ts";
import { makeChart } from "./chart.ts";
import { byId, el, fillRanges } from "./dom.ts";
import { bytes, bytesPerSecond, percent } from "./format.ts";

/** The graphs of one host, from the metrics of its host collector or node_exporter. `I` stands for the instance's matcher, `W` for the rate window. */
interface Panel {
  readonly title: string;
  readonly query: string;
  readonly label: (metric: Readonly<Record<string, string>>) => string;
  readonly format: (value: number) => string;
  readonly stacked?: boolean;
  readonly binary?: boolean;
  /** What the head of the panel tells from the newest values. */
  readonly summary: (latest: readonly number[]) => string;
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const part = (metric: Readonly<Record<string, string>>) => metric.part ?? metric.device ?? metric.mode ?? "";

/** One row of a panel: an expression, named by a `part` label. */
const named = (expr: string, name: string) => `label_replace(${expr}, "part", "${name}", "", "")`;

const PANELS: readonly Panel[] = [
  {
    title: "CPU",
    query: `100 * sum by (mode) (rate(node_cpu_seconds_total{mode!="idle",I}[W])) / scalar(count(count by (cpu) (node_cpu_seconds_total{I})))`,
    label: part,
    format: percent,
    stacked: true,
    summary: (latest) => percent(sum(latest)),
  },
  {
    title: "Memory",
    query: [
      named("sum(node_memory_MemTotal_bytes{I} - node_memory_MemAvailable_bytes{I})", "1 used"),
      named("sum(node_memory_MemAvailable_bytes{I} - node_memory_MemFree_bytes{I})", "2 cache"),
      named("sum(node_memory_MemFree_bytes{I})", "3 free"),
    ].join(" or "),
    label: (metric) => part(metric).slice(2),
    format: bytes,
    binary: true,
    stacked: true,
    summary: ([used = 0, ...rest]) => `${bytes(used)} of ${bytes(used + sum(rest))}`,
  },
  {
    title: "Disk",
    query: [
      named("sum(rate(node_disk_read_bytes_total{I}[W]))", "read"),
      named("sum(rate(node_disk_written_bytes_total{I}[W]))", "written"),
    ].join(" or "),
    label: part,
    format: bytesPerSecond,
    binary: true,
    summary: (latest) => bytesPerSecond(sum(latest)),
  },
  {
    title: "Network",
    query: [
      named("sum(rate(node_network_receive_bytes_total{device!='lo',I}[W]))", "received"),
      named("sum(rate(node_network_transmit_bytes_total{device!='lo',I}[W]))", "sent"),
    ].join(" or "),
    label: part,
    format: bytesPerSecond,
    binary: true,
    summary: (latest) => bytesPerSecond(sum(latest)),
  },
];

/** Points across a panel; the step is no finer than the host collector's interval. */
const POINTS = 240;
const FINEST_STEP = 5;

export function makeHostSection(): { refresh(): Promise<void> } {
  const ranges = byId<HTMLSelectElement>("range");
  const instances = byId<HTMLSelectElement>("instance");
  fillRanges(ranges, 300);
  const panels = PANELS.map((panel) => {
    const output = el("output");
    const box = el("div", { role: "img", "aria-label": `${panel.title} of this host over time` });
    const card = el(
      "div",
      { class: "card" },
      el("div", { class: "panel-head" }, el("h3", {}, panel.title), output),
      box,
    );
    byId("panels").append(card);
    return { panel, output, box, chart: makeChart(box) };
  });

  const refresh = async () => {
    await fillInstances(instances);
    const seconds = Number(ranges.value);
    const step = Math.max(FINEST_STEP, Math.ceil(seconds / POINTS));
    const end = Math.floor(Date.now() / 1000 / step) * step;
    const start = end - seconds;
    await Promise.all(
      panels.map(async ({ panel, output, box, chart }) => {
        const matcher = `instance=${JSON.stringify(instances.value)}`;
        const query = panel.query.replaceAll(/\bI\b/g, matcher).replaceAll("[W]", `[${Math.max(60, 4 * step)}s]`);
        const { data } = await range(query, start, end, step);
        const series = [...data.result].sort((a, b) => (part(a.metric) < part(b.metric) ? -1 : 1));
        if (series.length === 0) {
          chart.clear();
          box.replaceChildren(el("p", { class: "empty" }, "no samples yet"));
          output.value = "";
          return;
        }
        output.value = panel.summary(series.map(latest));
        chart.draw({ ...panel, start, end, step, series, height: 220, min: 0 });
      }),
    );
  };
  ranges.addEventListener("change", () => void refresh());
  instances.addEventListener("change", () => void refresh());
  return { refresh };
}

function latest(series: Series): number {
  const last = series.values.at(-1);
  return last === undefined ? 0 : Number(last[1]);
}

async function fillInstances(select: HTMLSelectElement): Promise<void> {
  const { data } = await call<string[]>("label/instance/values", { "match[]": "node_load1" });
  if (data.length === select.options.length && data.every((v, i) => select.options[i]?.value === v)) return;
  const chosen = select.value;
  select.replaceChildren(...data.map((v) => el("option", { value: v }, v)));
  if (data.includes(chosen)) select.value = chosen;
}
