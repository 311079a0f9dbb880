import type { TlsConfig } from "../../model/config.ts";
import type { HttpConfig } from "./integration-config.ts";
import type { Fields, LoadContext } from "./load-fields.ts";
import { readHttpConfig, readTls } from "./load-http.ts";

/** The `global` section: what integrations take where they set nothing themselves. "" is unset. */
export interface GlobalSettings {
  readonly resolveTimeoutMs: number;
  readonly http: HttpConfig;
  readonly smtp: {
    readonly from: string;
    readonly hello: string;
    readonly smarthost: string;
    readonly username: string;
    readonly password: string;
    readonly secret: string;
    readonly identity: string;
    readonly requireTls: boolean;
    readonly implicitTls: boolean | undefined;
    readonly tls: TlsConfig | undefined;
  };
  readonly slackUrl: string;
  readonly slackAppToken: string;
  readonly slackAppUrl: string;
  readonly pagerdutyUrl: string;
  readonly opsgenieUrl: string;
  readonly opsgenieKey: string;
  readonly victoropsUrl: string;
  readonly victoropsKey: string;
  readonly telegramUrl: string;
  readonly telegramToken: string;
}

/** Settings of integrations that are not supported may stand in a file that does not use them. */
const ELSEWHERE_URLS = ["jira_api_url", "wechat_api_url", "webex_api_url", "rocketchat_api_url"];
const ELSEWHERE_SECRETS = ["wechat_api_secret", "rocketchat_token", "rocketchat_token_id", "mattermost_webhook_url"];

export function readGlobal(c: LoadContext, f: Fields): GlobalSettings {
  for (const key of ELSEWHERE_URLS) f.url(key);
  for (const key of ELSEWHERE_SECRETS) f.secret(key);
  f.string("wechat_api_corp_id");
  const slackUrl = f.secretUrl("slack_api_url");
  const slackAppToken = f.secret("slack_app_token");
  if (slackUrl !== "" && slackAppToken !== "")
    f.problem(
      "slack_app_token",
      "at most one of slack_api_url/slack_api_url_file & slack_app_token/slack_app_token_file must be configured",
    );
  return {
    resolveTimeoutMs: f.duration("resolve_timeout", 300_000),
    http: readHttpConfig(c, f),
    smtp: {
      from: f.template("smtp_from"),
      hello: f.string("smtp_hello", "localhost"),
      smarthost: f.string("smtp_smarthost"),
      username: f.string("smtp_auth_username"),
      password: f.secret("smtp_auth_password"),
      secret: f.secret("smtp_auth_secret"),
      identity: f.string("smtp_auth_identity"),
      requireTls: f.boolean("smtp_require_tls", true),
      implicitTls: f.has("smtp_force_implicit_tls") ? f.boolean("smtp_force_implicit_tls", false) : undefined,
      tls: readTls(f, "smtp_tls_config"),
    },
    slackUrl,
    slackAppToken,
    slackAppUrl: f.url("slack_app_url", "https://slack.com/api/chat.postMessage"),
    pagerdutyUrl: f.url("pagerduty_url", "https://events.pagerduty.com/v2/enqueue"),
    opsgenieUrl: f.url("opsgenie_api_url", "https://api.opsgenie.com/"),
    opsgenieKey: f.secret("opsgenie_api_key"),
    victoropsUrl: f.url("victorops_api_url", "https://alert.victorops.com/integrations/generic/20131114/alert/"),
    victoropsKey: f.secret("victorops_api_key"),
    telegramUrl: f.url("telegram_api_url", "https://api.telegram.org"),
    telegramToken: f.secret("telegram_bot_token"),
  };
}
