/** A process with an embedded nats-server and one shard, to be killed: arguments are the data dir, the port and the server. */
import { join } from "node:path";
import * as Effect from "effect/Effect";
import { runMain } from "../../../src/actors/runtime/run-main.ts";
import { makeShards } from "../../../src/actors/shard/shard-host.ts";
import { embeddedServer } from "../../../src/streams/nats/embedded-server.ts";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";

const [dir, port] = process.argv.slice(2) as [string, string];
const say = (level: string, line: string) => {
  process.stdout.write(`${level} ${line}\n`);
};

const program = Effect.gen(function* () {
  const { binary, version } = yield* Effect.promise(() => obtainNatsServer());
  const server = yield* embeddedServer({
    binary,
    version,
    dir: join(dir, "nats"),
    listen: { host: "127.0.0.1", port: Number(port) },
  });
  const shards = makeShards([{ partition: 0, dir, busUrl: server.url, outOfOrderWindowMs: 3_600_000, say }], () => {});
  shards.hosts[0]?.onStatus((status) => say("phase", status.phase));
  yield* shards.child.run;
});

runMain(Effect.scoped(program));
