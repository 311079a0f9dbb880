import type { IntegrationBase } from "./integration-config.ts";
import type { Fields, LoadContext } from "./load-fields.ts";
import type { GlobalSettings } from "./load-global.ts";
import { readHttpConfig } from "./load-http.ts";

/** What every reader of an integration gets. */
export interface IntegrationInput {
  readonly c: LoadContext;
  readonly f: Fields;
  readonly global: GlobalSettings;
  readonly base: IntegrationBase;
}

/** The base of an integration over HTTP. */
export function overHttp({ c, f, global, base }: IntegrationInput) {
  return { ...base, http: readHttpConfig(c, f, global.http) };
}

/** The template of Alertmanager that stands for a text that is not set. */
export function standard(kind: string, what: string): string {
  return `{{ template "${kind}.default.${what}" . }}`;
}
