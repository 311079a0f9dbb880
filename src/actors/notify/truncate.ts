/** The first `limit` characters; a text that was cut ends with an ellipsis, as Alertmanager cuts. */
export function truncate(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const runes = [...text];
  if (runes.length <= limit) return text;
  return limit <= 3 ? runes.slice(0, limit).join("") : `${runes.slice(0, limit - 1).join("")}…`;
}
