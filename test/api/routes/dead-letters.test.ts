import { expect, it, onTestFinished } from "vitest";
import type { DeadLetter } from "../../../src/actors/notify/dead-letters.ts";
import { idleAlertManager } from "../../actors/alert/fixtures.ts";
import { wholeServer } from "./whole-server.ts";

const PATH = "/api/v1/notifications/dead-letters/redrive";

const letter = (key: string, receiver: string) =>
  ({ intent: { key, receiver, integration: "webhook[0]" } }) as DeadLetter;

/** Redrives what it is asked for with success, and remembers it. */
function server() {
  const driven: string[] = [];
  const app = wholeServer({
    alertManager: {
      ...idleAlertManager(),
      deadLetters: () => [letter("one", "a"), letter("two", "b")],
      redrive: (letters) => {
        driven.push(...letters.map((l) => l.intent.key));
        return Promise.resolve(letters.map(({ intent }) => ({ ...intent, result: "sent" as const })));
      },
    },
  });
  onTestFinished(() => app.close());
  const post = async (query: string) => {
    const answer = await app.inject({ method: "POST", url: `${PATH}${query}` });
    return { ...(answer.json() as { data?: unknown; error?: string }), status: answer.statusCode };
  };
  return { driven, post };
}

it("sends the one again that is named, those of a receiver, and all when that is said", async () => {
  const { driven, post } = server();
  expect(await post("?id[]=two")).toMatchObject({
    status: 200,
    data: { redriven: [{ id: "two", receiver: "b", integration: "webhook[0]", result: "sent" }] },
  });
  expect(await post("?receiver_name=a")).toMatchObject({ status: 200, data: { redriven: [{ id: "one" }] } });
  expect(driven.splice(0)).toEqual(["two", "one"]);
  expect(await post("?all=true")).toMatchObject({ status: 200 });
  expect(driven).toEqual(["one", "two"]);
});

it("sends nothing again when one is not there, when nothing is named, or when all are not wanted", async () => {
  const { driven, post } = server();
  expect(await post("?id[]=one&id[]=x")).toMatchObject({ status: 404, error: "there is no dead letter x" });
  expect(await post("?receiver_name=x")).toMatchObject({ status: 404, error: 'there is no receiver "x"' });
  expect(await post("")).toMatchObject({ status: 400, error: expect.stringContaining("which ones?") });
  for (const all of ["false", "0", "yes"]) {
    expect(await post(`?all=${all}`)).toMatchObject({
      status: 400,
      error: expect.stringContaining("it is true or left out"),
    });
  }
  expect(driven).toEqual([]);
});
