import { expect, it } from "vitest";
import { parse } from "yaml";
import { shownConfig } from "../../../src/api/routes/alertmanager-config.ts";

it("shows Alertmanager's part of the configuration, without secrets", () => {
  const shown = parse(
    shownConfig(`global: { slack_api_url: "https://hooks/s3cret", pagerduty_url: "https://plain" }
escalations: [{ name: own }]
fallback_receiver: a
route: { receiver: a, escalation: own, routes: [{ matchers: ['a="b"'], receiver: b, escalation: own }] }
receivers:
- name: a
  fallback_receiver: b
  webhook_configs:
  - url: https://hook/s3cret
    http_config: { basic_auth: { username: u, password: s3cret }, http_headers: { X: { values: [v], secrets: [s3cret] } } }
  opsgenie_configs: [{ api_url: "https://plain", api_key: s3cret }]
- name: b
  slack_configs: [{ api_url: "https://hooks/s3cret", channel: c }]
`),
  ) as unknown;
  expect(JSON.stringify(shown)).not.toContain("s3cret");
  const mask = "<secret>";
  expect(shown).toEqual({
    global: { slack_api_url: mask, pagerduty_url: "https://plain" },
    route: { receiver: "a", routes: [{ matchers: ['a="b"'], receiver: "b" }] },
    receivers: [
      {
        name: "a",
        webhook_configs: [
          {
            url: mask,
            http_config: {
              basic_auth: { username: "u", password: mask },
              http_headers: { X: { values: ["v"], secrets: [mask] } },
            },
          },
        ],
        opsgenie_configs: [{ api_url: "https://plain", api_key: mask }],
      },
      { name: "b", slack_configs: [{ api_url: mask, channel: "c" }] },
    ],
  });
});
