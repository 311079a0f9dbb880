import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";

/** vitest globalSetup: on a fresh machine the server is fetched once before the tests, not within one test's time. */
export async function setup(): Promise<void> {
  await obtainNatsServer({ say: (level, line) => level !== "debug" && console.log(line) });
}
