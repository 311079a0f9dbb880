import { isMap, isScalar, type Node, type Pair, parseDocument, visit } from "yaml";

/** Keys whose values nobody may see who may see the configuration. */
const SECRET_KEYS: ReadonlySet<string> = new Set(["password", "credentials", "bearer_token", "key", "secrets"]);
const MASK = "<secret>";

/**
 * A configuration text with its secrets replaced by `<secret>`, for the API: values of `password`, `credentials`,
 * `bearer_token`, `key` (a private one) and `secrets`, and the password in a URL. Everything else stays as it was written.
 */
export function maskSecrets(text: string): string {
  const document = parseDocument(text, { prettyErrors: false });
  const cuts: { readonly from: number; readonly to: number; readonly by: string }[] = [];
  const mask = (node: Node): void => {
    visit(node, (_, inner) => {
      if (isScalar(inner) && inner.range && inner.value !== null && inner.value !== "") {
        // A block scalar (| or >) ends with the line feed that the next key needs.
        const ends = text.slice(inner.range[0], inner.range[1]).endsWith("\n") ? "\n" : "";
        cuts.push({ from: inner.range[0], to: inner.range[1], by: `${MASK}${ends}` });
      }
    });
  };
  visit(document, {
    Pair: (_, pair) => {
      const { key, value } = pair as Pair<Node, Node | null>;
      if (value === null || !isScalar(key) || !SECRET_KEYS.has(String(key.value)) || isMap(value)) return undefined;
      mask(value);
      return visit.SKIP;
    },
  });
  let out = "";
  let at = 0;
  for (const cut of cuts.sort((a, b) => a.from - b.from)) {
    if (cut.from < at) continue;
    out += text.slice(at, cut.from) + cut.by;
    at = cut.to;
  }
  out += text.slice(at);
  return out.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*):[^\s/@"']+@/gi, `$1:${MASK}@`);
}
