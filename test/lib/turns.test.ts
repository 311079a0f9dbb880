import { expect, it } from "vitest";
import { makeTurns } from "../../src/lib/turns.ts";

it("gives a stretch of its own length, longer where the others take long, but never long", async () => {
  let at = 0;
  const turn = makeTurns(() => at);
  const stretch = () => {
    const begun = at;
    while (!turn.due()) at++;
    return at - begun;
  };
  const othersTake = async (ms: number) => {
    const next = turn.next();
    at += ms;
    await next;
  };
  expect(stretch()).toBe(40);
  await othersTake(1);
  expect(stretch()).toBe(40);
  await othersTake(300);
  expect(stretch()).toBe(100);
  await othersTake(10_000);
  expect(stretch()).toBe(120);
  await othersTake(0);
  expect(stretch()).toBe(40);
});
