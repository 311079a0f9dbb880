import type { Arg, Branch, Command, DefinedTemplate, Node, ParsedTemplate, Pipe } from "./ast.ts";
import { lexTemplate, placeIn, TemplateError, type Token, type TokenType } from "./lex.ts";
import { unquoteGo } from "./unquote.ts";

interface Parser {
  readonly name: string;
  readonly text: string;
  readonly tokens: readonly Token[];
  at: number;
  readonly functions: ReadonlySet<string>;
  readonly defined: Map<string, DefinedTemplate>;
  /** Names of the variables in scope. */
  variables: string[];
  loops: number;
}

/** Words that end the list of nodes before them. */
type Ending = "end" | "else" | "eof";

const BUILTINS = "and call html index slice js len not or print printf println urlquery eq ge gt le lt ne".split(" ");

/**
 * Parses a template. Throws `TemplateError`, also for a function that is not known and a variable that is not declared.
 * @param functions names of the functions beside Go's own
 * @param variables names (with `$`) that are set from outside
 */
export function parseTemplate(
  name: string,
  text: string,
  functions: Iterable<string>,
  variables: readonly string[] = [],
): ParsedTemplate {
  const p: Parser = {
    name,
    text,
    tokens: lexTemplate(name, text),
    at: 0,
    functions: new Set([...functions, ...BUILTINS]),
    defined: new Map(),
    variables: ["$", ...variables],
    loops: 0,
  };
  const { nodes, ending } = parseList(p, true);
  if (ending !== "eof") fail(p, `unexpected {{${ending}}}`);
  return { name, text, body: nodes, defined: p.defined };
}

function fail(p: Parser, message: string, at = p.tokens[Math.min(p.at, p.tokens.length - 1)]?.at ?? 0): never {
  throw new TemplateError(`template: ${p.name}:${placeIn(p.text, at)}: ${message}`);
}

function peek(p: Parser): Token | undefined {
  return p.tokens[p.at];
}

function skipSpace(p: Parser): void {
  while (peek(p)?.type === "space") p.at++;
}

function expect(p: Parser, type: TokenType, what: string): Token {
  skipSpace(p);
  const token = peek(p);
  if (token?.type !== type) return fail(p, `unexpected ${describe(token)} in ${what}`);
  p.at++;
  return token;
}

function describe(token: Token | undefined): string {
  return token === undefined ? "EOF" : `<${token.text}>`;
}

/** Nodes up to `end`, `else` or the end of the text; the ending's word is taken, its closing delimiter only for `end`. */
function parseList(p: Parser, top = false): { nodes: Node[]; ending: Ending } {
  const nodes: Node[] = [];
  while (p.at < p.tokens.length) {
    const token = p.tokens[p.at] as Token;
    p.at++;
    if (token.type === "text") {
      nodes.push({ kind: "text", text: token.text });
      continue;
    }
    skipSpace(p);
    const word = peek(p);
    if (word?.type === "identifier") {
      p.at++;
      if (word.text === "end") {
        expect(p, "close", "end");
        return { nodes, ending: "end" };
      }
      if (word.text === "else") return { nodes, ending: "else" };
      const node = parseKeyword(p, word, top);
      if (node === "none") continue;
      if (node !== undefined) {
        nodes.push(node);
        continue;
      }
      p.at--;
    }
    const pipe = parsePipe(p, "command", "close");
    nodes.push({ kind: "action", pipe });
  }
  return { nodes, ending: "eof" };
}

/** A control structure; `none` for what leaves no node, undefined when the word is no keyword. */
function parseKeyword(p: Parser, word: Token, top: boolean): Node | "none" | undefined {
  switch (word.text) {
    case "if":
    case "with":
      return parseBranches(p, word.text);
    case "range":
      return parseRange(p);
    case "break":
    case "continue":
      if (p.loops === 0) fail(p, `{{${word.text}}} outside {{range}}`, word.at);
      expect(p, "close", word.text);
      return { kind: word.text };
    case "template": {
      const name = unquoteGo(expect(p, "string", "template clause").text);
      skipSpace(p);
      if (peek(p)?.type === "close") {
        p.at++;
        return { kind: "template", name, pipe: undefined, at: word.at };
      }
      return { kind: "template", name, pipe: parsePipe(p, "template clause", "close"), at: word.at };
    }
    case "define": {
      if (!top) fail(p, "unexpected {{define}}", word.at);
      const name = unquoteGo(expect(p, "string", "define clause").text);
      expect(p, "close", "define clause");
      define(p, name);
      return "none";
    }
    case "block": {
      const name = unquoteGo(expect(p, "string", "block clause").text);
      const pipe = parsePipe(p, "block clause", "close");
      define(p, name);
      return { kind: "template", name, pipe, at: word.at };
    }
    default:
      return undefined;
  }
}

/** The body of a define or block, with a scope of its own. */
function define(p: Parser, name: string): void {
  const outer = p.variables;
  p.variables = ["$"];
  const { nodes, ending } = parseList(p);
  if (ending !== "end") fail(p, `unexpected ${ending === "eof" ? "EOF" : "{{else}}"} in define clause`);
  p.variables = outer;
  p.defined.set(name, { name, text: p.text, body: nodes });
}

function parseBranches(p: Parser, kind: "if" | "with"): Node {
  const scope = p.variables.length;
  const branches: Branch[] = [];
  let otherwise: Node[] = [];
  while (true) {
    const pipe = parsePipe(p, kind, "close");
    const { nodes, ending } = parseList(p);
    branches.push({ pipe, body: nodes });
    if (ending === "end") break;
    if (ending === "eof") fail(p, "unexpected EOF");
    skipSpace(p);
    const next = peek(p);
    if (next?.type === "identifier" && next.text === kind) {
      p.at++;
      continue;
    }
    expect(p, "close", "else");
    const last = parseList(p);
    if (last.ending !== "end") fail(p, last.ending === "eof" ? "unexpected EOF" : "expected end; found {{else}}");
    otherwise = last.nodes;
    break;
  }
  p.variables.length = scope;
  return { kind, branches, otherwise };
}

function parseRange(p: Parser): Node {
  const scope = p.variables.length;
  const pipe = parsePipe(p, "range", "close");
  p.loops++;
  const { nodes, ending } = parseList(p);
  p.loops--;
  let otherwise: Node[] = [];
  if (ending === "eof") fail(p, "unexpected EOF");
  if (ending === "else") {
    expect(p, "close", "else");
    const last = parseList(p);
    if (last.ending !== "end") fail(p, last.ending === "eof" ? "unexpected EOF" : "expected end; found {{else}}");
    otherwise = last.nodes;
  }
  p.variables.length = scope;
  return { kind: "range", pipe, body: nodes, otherwise };
}

function parsePipe(p: Parser, what: string, closing: "close" | "rightParen"): Pipe {
  skipSpace(p);
  const at = peek(p)?.at ?? p.text.length;
  const { names, declares } = parseDeclaration(p, what);
  const commands: Command[] = [];
  while (true) {
    skipSpace(p);
    const token = peek(p);
    if (token === undefined) return fail(p, "unclosed action", at);
    if (token.type === closing) {
      p.at++;
      if (commands.length === 0) fail(p, `missing value for ${what}`, token.at);
      checkPipeline(p, commands, what);
      if (declares) p.variables.push(...names);
      return { at, names, declares, commands };
    }
    commands.push(parseCommand(p, what));
    skipSpace(p);
    if (peek(p)?.type === "pipe") p.at++;
  }
}

/** What a value is piped into has to be something that takes it. */
function checkPipeline(p: Parser, commands: readonly Command[], what: string): void {
  for (const [i, command] of commands.entries()) {
    const [first] = command.args;
    if (i > 0 && (first?.kind === "literal" || first?.kind === "nil" || first?.kind === "dot")) {
      fail(p, `non executable command in pipeline stage ${i + 1} of ${what}`, command.at);
    }
  }
}

function parseDeclaration(p: Parser, what: string): { names: string[]; declares: boolean } {
  const start = p.at;
  const names: string[] = [];
  while (peek(p)?.type === "variable") {
    names.push((p.tokens[p.at] as Token).text);
    p.at++;
    skipSpace(p);
    const token = peek(p);
    if (token?.type === "declare" || token?.type === "assign") {
      p.at++;
      const declares = token.type === "declare";
      for (const name of names)
        if (!declares && !p.variables.includes(name)) fail(p, `undefined variable ${JSON.stringify(name)}`);
      return { names, declares };
    }
    if (token?.type !== "comma" || what !== "range" || names.length > 1) break;
    p.at++;
    skipSpace(p);
  }
  p.at = start;
  return { names: [], declares: false };
}

function parseCommand(p: Parser, what: string): Command {
  const at = peek(p)?.at ?? 0;
  const args: Arg[] = [];
  while (true) {
    skipSpace(p);
    const token = peek(p);
    if (token === undefined || token.type === "close" || token.type === "rightParen" || token.type === "pipe") break;
    args.push(parseOperand(p, what));
    const next = peek(p);
    if (next === undefined || ["space", "close", "rightParen", "pipe"].includes(next.type)) continue;
    fail(p, `unexpected ${describe(next)} in operand`);
  }
  if (args.length === 0) fail(p, "empty command");
  return { at, args };
}

function parseOperand(p: Parser, what: string): Arg {
  let arg = parseTerm(p, what);
  const fields: string[] = [];
  while (peek(p)?.type === "field") {
    fields.push((p.tokens[p.at] as Token).text.slice(1));
    p.at++;
  }
  if (fields.length === 0) return arg;
  if (arg.kind === "literal" || arg.kind === "nil")
    fail(p, `unexpected . after term ${JSON.stringify(p.text.slice(arg.at, arg.at + 10))}`);
  if (arg.kind === "chain" && arg.of.kind === "dot") arg = { ...arg, fields: [...arg.fields, ...fields] };
  else arg = { kind: "chain", at: arg.at, of: arg, fields };
  return arg;
}

function parseTerm(p: Parser, what: string): Arg {
  const token = p.tokens[p.at] as Token;
  const { at, text } = token;
  p.at++;
  switch (token.type) {
    case "dot":
      return { kind: "dot", at };
    case "field":
      return { kind: "chain", at, of: { kind: "dot", at }, fields: [text.slice(1)] };
    case "variable":
      if (!p.variables.includes(text)) fail(p, `undefined variable ${JSON.stringify(text)}`, at);
      return { kind: "variable", at, name: text };
    case "string":
      return { kind: "literal", at, value: unquote(p, token) };
    case "char":
      return { kind: "literal", at, value: BigInt(unquote(p, token).codePointAt(0) ?? 0) };
    case "number":
      return { kind: "literal", at, value: numberOf(p, token) };
    case "identifier":
      if (text === "nil") return { kind: "nil", at };
      if (text === "true" || text === "false") return { kind: "literal", at, value: text === "true" };
      if (!p.functions.has(text)) fail(p, `function ${JSON.stringify(text)} not defined`, at);
      return { kind: "function", at, name: text };
    case "leftParen":
      return { kind: "pipe", at, pipe: parsePipe(p, "parenthesized pipeline", "rightParen") };
    default:
      p.at--;
      return fail(p, `unexpected ${describe(token)} in ${what}`, at);
  }
}

function unquote(p: Parser, token: Token): string {
  try {
    return unquoteGo(token.text);
  } catch (error) {
    return fail(p, (error as Error).message, token.at);
  }
}

/** An integer when Go would take it for one. */
function numberOf(p: Parser, token: Token): bigint | number {
  const text = token.text.replaceAll("_", "");
  const sign = text.startsWith("-") ? -1n : 1n;
  const digits = text.replace(/^[+-]/, "");
  if (/^\d+$/.test(digits) && /^0\d/.test(digits)) return sign * BigInt(`0o${digits.slice(1)}`);
  if (/^(0[xXbBoO])?[0-9a-fA-F]+$/.test(digits) && !/^\d+[eE]/.test(digits)) return sign * BigInt(digits.toLowerCase());
  const value = Number(text);
  if (Number.isNaN(value)) return fail(p, `bad number syntax: ${JSON.stringify(token.text)}`, token.at);
  // Go takes 1e3 for an integer as well as for a float; as an argument it fits both.
  return value;
}
