/**
 * How large the program of an RE2 pattern may become: about one step for each character, class or sign, those under a bounded
 * repetition as often as it says. Never less than half of what a compiler makes of it; a look at the text only, whether the pattern
 * is valid or not.
 */
export function regexCost(pattern: string): number {
  const groups: Group[] = [{ total: 0, last: 0 }];
  for (let at = 0; at < pattern.length; ) {
    const group = groups.at(-1) as Group;
    const c = pattern[at] as string;
    switch (c) {
      case "(":
        groups.push({ total: 0, last: 0 });
        at = behindGroupHead(pattern, at + 1);
        break;
      case ")":
        if (groups.length > 1) {
          groups.pop();
          const outer = groups.at(-1) as Group;
          outer.total += group.total + 2;
          outer.last = group.total + 2;
        }
        at++;
        break;
      case "[":
        at = behindClass(pattern, at + 1);
        add(group, 1);
        break;
      case "\\":
        at = behindEscape(pattern, at + 1, group);
        break;
      case "{": {
        const count = /^\{(\d{1,4})(?:(,)(\d{0,4}))?\}/.exec(pattern.slice(at, at + 12));
        if (count === null) {
          add(group, 1);
          at++;
          break;
        }
        const least = Number(count[1]);
        const most = count[2] === undefined ? least : count[3] === "" ? least + 1 : Number(count[3]);
        const times = Math.max(1, least, most);
        // What is optional takes a step more each.
        const repeated = group.last * times + (count[2] === undefined ? 0 : times);
        group.total += repeated - group.last;
        group.last = repeated;
        at += count[0].length;
        break;
      }
      case "|":
        group.total++;
        group.last = 0;
        at++;
        break;
      case "*":
      case "+":
      case "?":
        group.total++;
        group.last++;
        at++;
        break;
      default:
        add(group, 1);
        at++;
    }
  }
  return groups.reduce((sum, g) => sum + g.total, 0);
}

interface Group {
  total: number;
  /** Of what a repetition would repeat. */
  last: number;
}

function add(group: Group, cost: number): void {
  group.total += cost;
  group.last = cost;
}

/** Behind `?:`, `?i:`, `?P<name>` and the like. */
function behindGroupHead(pattern: string, at: number): number {
  if (pattern[at] !== "?") return at;
  const name = /^\?P?<[^>]*>/.exec(pattern.slice(at, at + 256));
  if (name !== null) return at + name[0].length;
  const flags = /^\?[a-zA-Z-]*:?/.exec(pattern.slice(at, at + 32));
  return at + (flags?.[0].length ?? 1);
}

function behindClass(pattern: string, from: number): number {
  let at = from;
  if (pattern[at] === "^") at++;
  // A bracket at the very start is one of the class.
  if (pattern[at] === "]") at++;
  while (at < pattern.length && pattern[at] !== "]") {
    if (pattern[at] === "\\") at++;
    else if (pattern.startsWith("[:", at)) {
      const end = pattern.indexOf(":]", at + 2);
      if (end > 0) at = end + 1;
    }
    at++;
  }
  return at + 1;
}

function behindEscape(pattern: string, at: number, group: Group): number {
  if (pattern[at] === "Q") {
    const end = pattern.indexOf("\\E", at);
    const stop = end < 0 ? pattern.length : end;
    add(group, stop - at);
    group.last = 1;
    return end < 0 ? stop : stop + 2;
  }
  add(group, 1);
  const braces = /^[pPx]\{[^}]*\}/.exec(pattern.slice(at, at + 64));
  return at + (braces?.[0].length ?? 1);
}
