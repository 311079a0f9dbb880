import { expect, it } from "vitest";
import { parseListen } from "../../../src/streams/nats/listen-address.ts";

it("reads hosts and ports", () => {
  expect(parseListen("127.0.0.1:4222")).toEqual({ host: "127.0.0.1", port: 4222 });
  expect(parseListen(":0")).toEqual({ host: "127.0.0.1", port: 0 });
  expect(parseListen("[::1]:4222")).toEqual({ host: "::1", port: 4222 });
});

it.each(["", "4222", "host", "host:", "host:70000", "::1:4222", "a b:1"])("refuses %j, naming the key", (listen) => {
  expect(() => parseListen(listen)).toThrow(/streams\.listen: .* is not HOST:PORT/);
});
