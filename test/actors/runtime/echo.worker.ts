/** A worker for the tests: answers, dies in several ways, and stops when asked. */
import { parentPort, workerData } from "node:worker_threads";

const port = parentPort!;
port.postMessage({ hello: workerData });
port.on("message", (message: { kind: string; bytes?: Uint8Array }) => {
  switch (message.kind) {
    case "throw":
      throw new Error("worker threw");
    case "reject":
      void Promise.reject(new Error("worker rejected"));
      return;
    case "exit":
      process.exit(3);
      return;
    case "memory": {
      // A little at a time: memory that runs out within one call may end the whole process before Node can end the thread.
      const hog: unknown[] = [];
      const more = (): void => {
        for (let i = 0; i < 10; i++) hog.push(new Array(1_000).fill(hog.length));
        setImmediate(more);
      };
      more();
      return;
    }
    case "stop":
      port.postMessage({ stopped: true });
      port.close();
      return;
    case "hang":
      for (;;);
    default:
      port.postMessage({ echo: message });
  }
});
