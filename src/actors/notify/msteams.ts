import type { MsteamsConfig, Msteamsv2Config } from "../alert/integration-config.ts";
import { type Attempt, jsonRequest, judgeStatus, type OutgoingRequest, type ProviderAnswer } from "./attempt.ts";
import type { Renderer } from "./template/render.ts";
import { statusOf } from "./template/template-data.ts";

/** A message card, for a connector. */
export function msteamsRequests(config: MsteamsConfig, r: Renderer): readonly OutgoingRequest[] {
  const card = {
    "@context": "http://schema.org/extensions",
    type: "MessageCard",
    title: r.text(config.title),
    summary: r.text(config.summary),
    text: r.text(config.text),
    themeColor: statusOf(r.notification.alerts) === "firing" ? "8C1A1A" : "2DC72D",
  };
  return [jsonRequest(config.url, card)];
}

/** An adaptive card, for a workflow. */
export function msteamsv2Requests(config: Msteamsv2Config, r: Renderer): readonly OutgoingRequest[] {
  const color = statusOf(r.notification.alerts) === "firing" ? "Attention" : "Good";
  const content = {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.2",
    body: [
      {
        type: "TextBlock",
        text: r.text(config.title),
        weight: "Bolder",
        size: "Medium",
        wrap: true,
        style: "heading",
        color,
      },
      { type: "TextBlock", text: r.text(config.text), wrap: true },
    ],
    msteams: { width: "full" },
  };
  const attachment = { contentType: "application/vnd.microsoft.card.adaptive", contentUrl: null, content };
  return [jsonRequest(config.url, { type: "message", attachments: [attachment] })];
}

/** A connector tells with status 200 that Teams itself did not take the card. */
export function judgeMsteams(answer: ProviderAnswer): Attempt {
  const inside = /delivery failed.*HTTP error (\d+)/i.exec(answer.text)?.[1];
  if (answer.status !== 200 || inside === undefined) return judgeStatus(answer);
  return judgeStatus({ ...answer, status: Number(inside) });
}
