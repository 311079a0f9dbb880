// Loaded before a process and each of its threads: the thread of shard 1 dies as long as the file in DYING_SHARD is there.
import { existsSync } from "node:fs";
import { isMainThread, workerData } from "node:worker_threads";

const file = process.env.DYING_SHARD;
if (!isMainThread && file !== undefined && workerData?.partition === 1) {
  const look = () => {
    if (existsSync(file)) process.exit(1);
  };
  look();
  setInterval(look, 50).unref();
}
