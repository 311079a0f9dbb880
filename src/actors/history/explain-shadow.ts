import type { Evidence } from "./evidence.ts";
import type { AlertState } from "./explain-evaluation.ts";

/** What makes the shadow rule of an alert a live one: the key that has to change, and the command that changes it. */
export function shadowAdvice(e: Evidence, state: AlertState): string[] {
  const shadows = e.rules.filter(({ rule }) => rule.shadow === true);
  if (shadows.length === 0) {
    return e.rules.length === 0 ? [] : ["it was a shadow rule at that time; now it is none, and somebody is told"];
  }
  // Of several rules of the name, the one that the records are of.
  const own = shadows.filter(({ group }) => group.name === state.group);
  return (own.length === 0 ? shadows : own).map(({ rule, group }) => {
    const promote = `tocsin rules promote --group ${quoted(group.name)}`;
    const one = `${promote} --rule ${quoted(rule.name)}`;
    const where = `group ${group.name} of ${group.file}`;
    return rule.shadowOfGroup === true
      ? `promote the rule: the key \`shadow\` stands on ${where}; take it out there, or for this rule alone write \`shadow: false\` to it: ${one} (all of the group: ${promote})`
      : `promote the rule: take \`shadow\` out of the rule ${rule.name} in ${where}: ${one}`;
  });
}

/** For a shell, where it is needed. */
function quoted(name: string): string {
  return /^[\w.:/-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}
