import { describe, expect, it } from "vitest";
import { maskSecrets } from "../../src/config/mask-secrets.ts";

describe("a configuration that is shown", () => {
  it("has no secrets in it, and is otherwise as it was written", () => {
    const text = `# the password of the bus: none
scrape_configs:
  - job_name: a   # a comment
    basic_auth: { username: u, password: "p:'w" } # after
  - job_name: b
    bearer_token: abc
    tls_config:
      key: |
        -----BEGIN PRIVATE KEY-----
        x
        -----END PRIVATE KEY-----
      cert: c
    http_headers: { X: { values: [v], secrets: [s1, 's2'] } }
  - job_name: c
    authorization:
      credentials: >-
        long
        text
    basic_auth: { password_file: pw, password: }
streams: { url: "nats://me:hunter2@bus:4222" }
`;
    expect(maskSecrets(text)).toBe(`# the password of the bus: none
scrape_configs:
  - job_name: a   # a comment
    basic_auth: { username: u, password: <secret> } # after
  - job_name: b
    bearer_token: <secret>
    tls_config:
      key: <secret>
      cert: c
    http_headers: { X: { values: [v], secrets: [<secret>, <secret>] } }
  - job_name: c
    authorization:
      credentials: <secret>
    basic_auth: { password_file: pw, password: }
streams: { url: "nats://me:<secret>@bus:4222" }
`);
  });

  it("may be broken", () => {
    expect(maskSecrets("a: [\npassword: x")).not.toContain("x\n");
    expect(maskSecrets("")).toBe("");
  });
});
