import type { TlsConfig } from "../../model/config.ts";
import type { TemplateSet } from "../notify/template/render.ts";

/**
 * The integrations of a receiver as they are used: defaults and global settings filled in, secrets read from their files,
 * durations in milliseconds. Strings marked "template" are Go templates, checked when they were loaded.
 */
export interface IntegrationBase {
  /** The kind and its number among those of the kind in the receiver, as in Alertmanager: `slack[0]`. */
  readonly name: string;
  readonly sendResolved: boolean;
  /** Of one attempt; 0: the default. */
  readonly timeoutMs: number;
  /** The named templates that its texts may call. */
  readonly templates: TemplateSet;
}

interface OverHttp extends IntegrationBase {
  readonly http: HttpConfig;
}

/** A JSON-like value of the configuration whose strings are templates. */
export type Payload = string | number | boolean | null | readonly Payload[] | { readonly [key: string]: Payload };

export interface HttpConfig {
  readonly headers: Readonly<Record<string, string>>;
  readonly followRedirects: boolean;
  readonly tls?: TlsConfig;
  /** As the environment variables of the same names; undefined: no proxy. */
  readonly proxy?: { readonly HTTP_PROXY?: string; readonly HTTPS_PROXY?: string; readonly NO_PROXY?: string };
  readonly oauth2?: OAuth2Config;
}

/** The client credentials grant. */
export interface OAuth2Config {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
  readonly endpointParams: Readonly<Record<string, string>>;
  /** How the token is fetched. */
  readonly http: HttpConfig;
}

export interface WebhookConfig extends OverHttp {
  readonly kind: "webhook";
  /** Template. */
  readonly url: string;
  /** 0: no limit. */
  readonly maxAlerts: number;
  /** What is sent in place of Alertmanager's own body. */
  readonly payload?: Payload;
}

export interface SlackConfig extends OverHttp {
  readonly kind: "slack";
  readonly url: string;
  /** Templates, as all below. */
  readonly channel: string;
  readonly username: string;
  readonly color: string;
  readonly title: string;
  readonly titleLink: string;
  readonly pretext: string;
  readonly text: string;
  readonly messageText: string;
  readonly footer: string;
  readonly fallback: string;
  readonly callbackId: string;
  readonly iconEmoji: string;
  readonly iconUrl: string;
  readonly imageUrl: string;
  readonly thumbUrl: string;
  readonly linkNames: boolean;
  readonly markdownIn: readonly string[];
  readonly fields: readonly { readonly title: string; readonly value: string; readonly short: boolean }[];
  readonly actions: readonly SlackAction[];
}

export interface SlackAction {
  readonly type: string;
  readonly text: string;
  readonly url: string;
  readonly style: string;
  readonly name: string;
  readonly value: string;
  readonly confirm?: {
    readonly text: string;
    readonly title: string;
    readonly okText: string;
    readonly dismissText: string;
  };
}

export interface PagerdutyConfig extends OverHttp {
  readonly kind: "pagerduty";
  /** 1: the generic events API of 2010, 2: events v2. */
  readonly version: 1 | 2;
  readonly url: string;
  /** Template: the service or routing key. */
  readonly key: string;
  readonly client: string;
  readonly clientUrl: string;
  readonly description: string;
  readonly details: Readonly<Record<string, Payload>>;
  readonly images: readonly { readonly src: string; readonly alt: string; readonly href: string }[];
  readonly links: readonly { readonly href: string; readonly text: string }[];
  readonly source: string;
  readonly severity: string;
  readonly class: string;
  readonly component: string;
  readonly group: string;
}

export interface EmailConfig extends IntegrationBase {
  readonly kind: "email";
  /** Templates: address lists. */
  readonly to: string;
  readonly from: string;
  readonly host: string;
  readonly port: number;
  /** What the client calls itself. */
  readonly hello: string;
  readonly auth?: {
    readonly username: string;
    readonly password: string;
    /** For CRAM-MD5. */
    readonly secret: string;
    readonly identity: string;
  };
  /** Templates by canonical name; Subject, To and From are always there. */
  readonly headers: Readonly<Record<string, string>>;
  readonly html: string;
  readonly text: string;
  readonly requireTls: boolean;
  readonly implicitTls: boolean;
  readonly tls: TlsConfig;
  readonly threading?: "none" | "daily";
}

export interface OpsgenieConfig extends OverHttp {
  readonly kind: "opsgenie";
  /** With a slash at the end. */
  readonly url: string;
  /** Templates, as all below. */
  readonly apiKey: string;
  readonly message: string;
  readonly description: string;
  readonly source: string;
  readonly details: Readonly<Record<string, string>>;
  readonly entity: string;
  readonly responders: readonly {
    readonly id: string;
    readonly name: string;
    readonly username: string;
    readonly type: string;
  }[];
  readonly actions: string;
  readonly tags: string;
  readonly note: string;
  readonly priority: string;
  readonly updateAlerts: boolean;
}

export interface MsteamsConfig extends OverHttp {
  readonly kind: "msteams";
  readonly url: string;
  readonly title: string;
  readonly summary: string;
  readonly text: string;
}

export interface Msteamsv2Config extends OverHttp {
  readonly kind: "msteamsv2";
  readonly url: string;
  readonly title: string;
  readonly text: string;
}

export interface DiscordConfig extends OverHttp {
  readonly kind: "discord";
  readonly url: string;
  readonly content: string;
  readonly title: string;
  readonly message: string;
  /** Not templates. */
  readonly username: string;
  readonly avatarUrl: string;
}

export interface TelegramConfig extends OverHttp {
  readonly kind: "telegram";
  /** Without a slash at the end. */
  readonly url: string;
  readonly botToken: string;
  readonly chatId: string;
  /** 0: the chat itself. */
  readonly messageThreadId: number;
  readonly message: string;
  readonly disableNotifications: boolean;
  readonly parseMode: "" | "HTML" | "Markdown" | "MarkdownV2";
}

export interface VictoropsConfig extends OverHttp {
  readonly kind: "victorops";
  /** With a slash at the end. */
  readonly url: string;
  readonly apiKey: string;
  readonly routingKey: string;
  readonly messageType: string;
  readonly stateMessage: string;
  readonly entityDisplayName: string;
  readonly monitoringTool: string;
  readonly customFields: Readonly<Record<string, string>>;
}

export interface PushoverConfig extends OverHttp {
  readonly kind: "pushover";
  readonly url: string;
  readonly userKey: string;
  readonly token: string;
  readonly title: string;
  readonly message: string;
  readonly supplementaryUrl: string;
  readonly urlTitle: string;
  readonly device: string;
  readonly sound: string;
  readonly priority: string;
  readonly retryMs: number;
  readonly expireMs: number;
  /** 0: none. */
  readonly ttlMs: number;
  readonly html: boolean;
  readonly monospace: boolean;
}

/** One way that a receiver is told, told apart by `kind`. */
export type Integration =
  | WebhookConfig
  | EmailConfig
  | PagerdutyConfig
  | OpsgenieConfig
  | SlackConfig
  | VictoropsConfig
  | PushoverConfig
  | TelegramConfig
  | DiscordConfig
  | MsteamsConfig
  | Msteamsv2Config;
