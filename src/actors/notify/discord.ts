import type { DiscordConfig } from "../alert/integration-config.ts";
import {
  type Attempt,
  answeredObject,
  jsonRequest,
  judgeStatus,
  type OutgoingRequest,
  type ProviderAnswer,
} from "./attempt.ts";
import type { Renderer } from "./template/render.ts";
import { statusOf } from "./template/template-data.ts";
import { truncate } from "./truncate.ts";

const MAX_TITLE = 256;
const MAX_DESCRIPTION = 4096;
const MAX_CONTENT = 2000;
const RED = 0x992d22;
const GREEN = 0x2ecc71;

export function discordRequests(config: DiscordConfig, r: Renderer): readonly OutgoingRequest[] {
  const embed = {
    title: truncate(r.text(config.title), MAX_TITLE),
    description: truncate(r.text(config.message), MAX_DESCRIPTION),
    color: statusOf(r.notification.alerts) === "firing" ? RED : GREEN,
  };
  const body = {
    content: truncate(r.text(config.content), MAX_CONTENT),
    embeds: [embed],
    ...(config.username === "" ? {} : { username: config.username }),
    ...(config.avatarUrl === "" ? {} : { avatar_url: config.avatarUrl }),
  };
  return [jsonRequest(config.url, body)];
}

/** The body of a 429 says more exactly than its header how long to wait. */
export function judgeDiscord(answer: ProviderAnswer): Attempt {
  const attempt = judgeStatus(answer);
  const { retry_after: seconds } = answeredObject(answer);
  if (attempt.ok || answer.status !== 429 || typeof seconds !== "number") return attempt;
  return { ...attempt, retryAfterMs: Math.ceil(seconds * 1000) };
}
