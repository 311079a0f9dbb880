import { describe, expect, it } from "vitest";
import type { DataSource, PointSeries, Ticks } from "../../../src/actors/backtest/points.ts";
import { type Question, shareAnswers, splitLevel } from "../../../src/actors/backtest/shared-answers.ts";
import { labelsFromObject, labelValue } from "../../../src/model/labels.ts";

const TICKS: Ticks = { start: 1000, step: 10, count: 6 };
const question = (query: string, ticks = TICKS): Question => ({ query, ticks, slice: 4 });

/** A server with two series of `load`; answers `load <op> <number>` and `load`. */
function serverOf(): { source: DataSource; asked: string[] } {
  const asked: string[] = [];
  const values: Readonly<Record<string, readonly number[]>> = { a: [1, 2, 3, 4, 5, 6], b: [6, Number.NaN, 2, 3, 1, 3] };
  const source: DataSource = {
    range: async ({ query, start, end, step }) => {
      asked.push(query);
      const { op, level } = splitLevel(query);
      const keep = (v: number) =>
        op === "" || (op === ">" ? v > level : op === ">=" ? v >= level : op === "<" ? v < level : v <= level);
      return Object.entries(values).flatMap(([host, all]): PointSeries[] => {
        const points = all
          .map((v, k) => [TICKS.start + k * step, v] as const)
          .filter(([t, v]) => t >= start && t <= end && keep(v));
        if (points.length === 0) return [];
        const labels = labelsFromObject({ __name__: "load", host });
        return [{ labels, ts: Float64Array.from(points, (p) => p[0]), values: Float64Array.from(points, (p) => p[1]) }];
      });
    },
  };
  return { source, asked };
}

const told = (answers: Awaited<ReturnType<ReturnType<typeof shareAnswers>["ask"]>>) =>
  answers.series
    .map((s) => `${labelValue(s.labels, "host")} ${[...s.ticks].map((k, i) => `${k}:${s.values[i]}`)}`)
    .sort();

describe("answers that several rules need", () => {
  it("are asked for once, with the threshold that all the others lie within", async () => {
    const queries = [
      ...["load > 2", "load > 4", "(load) > (2)", "3 < load", "load > 100", "load"],
      ...["load >= 3", "load >= 2.5", "load < 3", "4 > load", "load <= 2", "load <= -2"],
    ];
    const shared = serverOf();
    const sharing = shareAnswers(
      shared.source,
      queries.map((q) => question(q)),
    );
    for (const query of queries) {
      const alone = serverOf();
      const expected = await shareAnswers(alone.source, []).ask(question(query));
      expect(told(await sharing.ask(question(query))), query).toEqual(told(expected));
    }
    // In two slices each.
    const each = ["load > 2", "load", "load >= 2.5", "4 > load", "load <= 2"].flatMap((q) => [q, q]);
    expect(shared.asked).toEqual(each);
  });

  it("are not mixed up where the times or the expressions differ", async () => {
    const { source, asked } = serverOf();
    const later = { ...TICKS, count: 3 };
    const questions = [
      question("load > 2"),
      question("load > 1", later),
      question("load > bool 1"),
      question("load{} > 0 or load > 3"),
    ];
    const sharing = shareAnswers(source, questions);
    for (const one of questions) await sharing.ask(one);
    expect([...new Set(asked)]).toEqual(questions.map((q) => q.query));
  });

  it("are asked for again when they are too many to be held, or nobody said that they would be", async () => {
    const { source, asked } = serverOf();
    const sharing = shareAnswers(source, [question("load > 1"), question("load > 2"), question("load > 3")], 4);
    const answers = [await sharing.ask(question("load > 1")), await sharing.ask(question("load > 3"))];
    expect(answers.map((a) => told(a).length)).toEqual([2, 2]);
    await sharing.ask(question("load > 5"));
    expect([...new Set(asked)]).toEqual(["load > 1", "load > 3", "load > 5"]);
  });

  it("tell where the threshold is", () => {
    expect(splitLevel("sum(rate(x[5m])) / 2 > -3")).toEqual({ base: "sum(rate(x[5m])) / 2", op: ">", level: -3 });
    expect(splitLevel("5 >= x")).toEqual({ base: "x", op: "<=", level: 5 });
    for (const whole of ["x > y", "x == 1", "x > bool 1", "x", "x > 1 and y > 2", "sum(", "x > NaN"]) {
      expect(splitLevel(whole)).toEqual({ base: whole, op: "", level: 0 });
    }
  });
});
