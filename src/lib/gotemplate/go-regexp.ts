import { RE2JS } from "re2js";

const cache = new Map<string, RE2JS>();
const CACHED = 256;

/** Throws an Error that says what is wrong with the pattern. */
function compile(pattern: string): RE2JS {
  let compiled = cache.get(pattern);
  if (compiled === undefined) {
    compiled = RE2JS.compile(pattern);
    if (cache.size >= CACHED) cache.clear();
    cache.set(pattern, compiled);
  }
  return compiled;
}

/** regexp.MatchString: the pattern occurs somewhere in the text. */
export function goMatch(pattern: string, text: string): boolean {
  return compile(pattern).matcher(text).find();
}

/** regexp.ReplaceAllString: `$1`, `${1}` and `${name}` stand for groups, `$$` for a dollar. */
export function goReplaceAll(pattern: string, replacement: string, text: string): string {
  const matcher = compile(pattern).matcher(text);
  let out = "";
  let at = 0;
  while (matcher.find()) {
    out += text.slice(at, matcher.start()) + expand(replacement, matcher);
    at = matcher.end();
  }
  return out + text.slice(at);
}

function expand(replacement: string, matcher: ReturnType<RE2JS["matcher"]>): string {
  return replacement.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, plain?: string) => {
    if (whole === "$$") return "$";
    const name = braced ?? plain ?? "";
    try {
      if (/^\d+$/.test(name)) return Number(name) <= matcher.groupCount() ? (matcher.group(Number(name)) ?? "") : "";
      return matcher.group(name) ?? "";
    } catch {
      return "";
    }
  });
}
