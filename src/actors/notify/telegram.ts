import type { TelegramConfig } from "../alert/integration-config.ts";
import {
  type Attempt,
  answeredObject,
  jsonRequest,
  judgeStatus,
  type OutgoingRequest,
  type ProviderAnswer,
} from "./attempt.ts";
import type { Renderer } from "./template/render.ts";
import { truncate } from "./truncate.ts";

/** Characters after Telegram has taken out the markup. */
const MAX_MESSAGE = 4096;
/** Bytes before that. */
const MAX_BYTES = 1 << 15;

const TOO_LONG =
  "Alertmanager notification could not be sent: message length exceeds Telegram limits. " +
  "Please check the template used for producing the message content.";

/** The Bot API's sendMessage. */
export function telegramRequests(config: TelegramConfig, r: Renderer): readonly OutgoingRequest[] {
  const body: Record<string, unknown> = {
    chat_id: config.chatId,
    text: messageText(config, r),
    disable_web_page_preview: true,
  };
  if (config.parseMode !== "") body.parse_mode = config.parseMode;
  if (config.disableNotifications) body.disable_notification = true;
  if (config.messageThreadId > 0) body.message_thread_id = config.messageThreadId;
  return [jsonRequest(`${config.url}/bot${config.botToken}/sendMessage`, body)];
}

function messageText(config: TelegramConfig, r: Renderer): string {
  if (config.parseMode !== "HTML") return truncate(r.text(config.message), MAX_MESSAGE);
  const html = r.html(config.message);
  // Markup cannot be cut in the middle.
  const visible = html.replace(/<[^>]*>/g, "").replace(/&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);?/g, "x");
  return Buffer.byteLength(html) > MAX_BYTES || [...visible].length > MAX_MESSAGE ? TOO_LONG : html;
}

export function judgeTelegram(answer: ProviderAnswer): Attempt {
  const { description, parameters } = answeredObject(answer);
  const attempt = judgeStatus(answer, [], typeof description === "string" ? description : answer.text);
  const seconds = (parameters as { retry_after?: unknown } | undefined)?.retry_after;
  if (attempt.ok || answer.status !== 429 || typeof seconds !== "number") return attempt;
  return { ...attempt, retryAfterMs: seconds * 1000 };
}
