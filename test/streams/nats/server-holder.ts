// A process that holds an embedded server until it is killed. Arguments: folder, port. Prints the server's process id.
import { startEmbeddedServer } from "../../../src/streams/nats/embedded-server.ts";
import { obtainNatsServer } from "../../../src/streams/nats/obtain-server.ts";

const [dir = "", port = "0"] = process.argv.slice(2);
const { binary, version } = await obtainNatsServer();
const server = await startEmbeddedServer({ binary, version, dir, listen: { host: "127.0.0.1", port: Number(port) } });
console.log(server.pid);
