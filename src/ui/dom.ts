/** The element with an id that index.html has. */
export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found as T;
}

/** Makes an element; text and children are never parsed as HTML. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function table(
  head: readonly string[],
  rows: readonly (readonly (Node | string)[])[],
  numbers: readonly number[] = [],
): HTMLTableElement {
  const th = head.map((h) => el("th", { scope: "col" }, h));
  const body = rows.map((cells) => {
    // Where there is no room for columns, a cell names its own (style.css).
    const tds = cells.map((c, i) => {
      const kind: Record<string, string> = numbers.includes(i) ? { class: "number" } : {};
      return el("td", { ...kind, "data-column": head[i] ?? "" }, c);
    });
    return el("tr", {}, ...tds);
  });
  return el("table", {}, el("thead", {}, el("tr", {}, ...th)), el("tbody", {}, ...body));
}

export function state(name: string): HTMLElement {
  return el("span", { class: `state ${name}` }, name);
}

export const RANGES: readonly (readonly [label: string, seconds: number])[] = [
  ["5 minutes", 300],
  ["15 minutes", 900],
  ["1 hour", 3600],
  ["6 hours", 21600],
  ["24 hours", 86400],
  ["7 days", 604800],
];

export function fillRanges(select: HTMLSelectElement, chosen: number): void {
  for (const [label, value] of RANGES) {
    const option = el("option", { value: String(value) }, label);
    option.selected = value === chosen;
    select.append(option);
  }
}
