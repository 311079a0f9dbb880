import type { Arg, Command, DefinedTemplate, Node, ParsedTemplate, Pipe } from "./ast.ts";
import { BUILTIN_FUNCTIONS, kindOf } from "./builtins.ts";
import { placeIn, TemplateError } from "./lex.ts";
import { printValue } from "./print.ts";
import { isObject, isTrue, methodOf, missingIn, type TemplateFunction, type Value } from "./value.ts";

/** What an execution may use up, so that a template in a configuration file cannot hang the process. */
const MAX_STEPS = 200_000;
const MAX_OUTPUT = 4 << 20;
const MAX_DEPTH = 100;

interface Execution {
  readonly functions: Readonly<Record<string, TemplateFunction>>;
  readonly defined: ReadonlyMap<string, DefinedTemplate>;
  readonly print: Print;
  template: DefinedTemplate;
  out: string[];
  length: number;
  steps: number;
  depth: number;
}

interface Scope {
  readonly dot: Value;
  /** Innermost last. */
  readonly variables: { readonly name: string; value: Value }[];
}

/** How a value is written; `before` is what has been written so far, in pieces. Null prints as `<no value>`. */
export type Print = (value: Value, before: readonly string[]) => string;

const printPlain: Print = (value) => (value === null ? "<no value>" : printValue(value));

/** Thrown by a function to end an execution with an error of its own kind; goes through as it is. */
export class TemplateInterrupt extends Error {}

/**
 * Executes a template. Throws `TemplateError` (line and column), or the `TemplateInterrupt` that a function threw.
 * @param variables values of the variables that parseTemplate was told of
 * @param defined further templates that it may call
 * @param print how values are written, for output that is escaped
 */
export function executeTemplate(
  template: ParsedTemplate,
  dot: Value,
  functions: Readonly<Record<string, TemplateFunction>>,
  variables: Readonly<Record<string, Value>> = {},
  defined: ReadonlyMap<string, DefinedTemplate> = template.defined,
  print: Print = printPlain,
): string {
  const x: Execution = { functions, defined, print, template, out: [], length: 0, steps: 0, depth: 0 };
  const scope: Scope = { dot, variables: [{ name: "$", value: dot }] };
  for (const [name, value] of Object.entries(variables)) scope.variables.push({ name, value });
  runList(x, template.body, scope);
  return x.out.join("");
}

type Flow = "next" | "break" | "continue";

function fail(x: Execution, at: number, message: string): never {
  throw new TemplateError(
    `template: ${x.template.name}:${placeIn(x.template.text, at)}: executing ${JSON.stringify(x.template.name)}: ${message}`,
  );
}

function write(x: Execution, text: string, at: number): void {
  x.length += text.length;
  if (x.length > MAX_OUTPUT) fail(x, at, `the output is longer than ${MAX_OUTPUT} characters`);
  x.out.push(text);
}

function step(x: Execution, at: number): void {
  if (++x.steps > MAX_STEPS) fail(x, at, `more than ${MAX_STEPS} steps`);
}

function runList(x: Execution, nodes: readonly Node[], scope: Scope): Flow {
  const mark = scope.variables.length;
  for (const node of nodes) {
    const flow = runNode(x, node, scope);
    if (flow !== "next") {
      scope.variables.length = mark;
      return flow;
    }
  }
  return "next";
}

function runNode(x: Execution, node: Node, scope: Scope): Flow {
  switch (node.kind) {
    case "text":
      write(x, node.text, 0);
      return "next";
    case "action": {
      step(x, node.pipe.at);
      const value = evaluatePipe(x, node.pipe, scope);
      if (node.pipe.names.length === 0) write(x, x.print(value, x.out), node.pipe.at);
      return "next";
    }
    case "if":
    case "with":
      return runBranches(x, node, scope);
    case "range":
      return runRange(x, node, scope);
    case "template":
      runTemplate(x, node, scope);
      return "next";
    default:
      return node.kind;
  }
}

function runBranches(x: Execution, node: Extract<Node, { kind: "if" | "with" }>, scope: Scope): Flow {
  const mark = scope.variables.length;
  let flow: Flow = "next";
  const taken = node.branches.find((branch) => {
    step(x, branch.pipe.at);
    const value = evaluatePipe(x, branch.pipe, scope);
    if (!isTrue(value)) return false;
    flow = runList(x, branch.body, node.kind === "with" ? { ...scope, dot: value } : scope);
    return true;
  });
  if (taken === undefined) flow = runList(x, node.otherwise, scope);
  scope.variables.length = mark;
  return flow;
}

function runRange(x: Execution, node: Extract<Node, { kind: "range" }>, scope: Scope): Flow {
  const mark = scope.variables.length;
  const { names, declares, at } = node.pipe;
  const over = evaluateCommands(x, node.pipe, scope);
  const items = rangeItems(x, at, over);
  for (const [key, value] of items) {
    step(x, at);
    const set = names.length === 2 ? [key, value] : [value];
    for (const [i, name] of names.entries()) {
      if (declares) scope.variables.push({ name, value: set[i] as Value });
      else assign(x, at, scope, name, set[i] as Value);
    }
    const flow = runList(x, node.body, { ...scope, dot: value });
    scope.variables.length = mark;
    if (flow === "break") break;
  }
  const flow = items.length === 0 ? runList(x, node.otherwise, scope) : "next";
  scope.variables.length = mark;
  return flow;
}

function rangeItems(x: Execution, at: number, over: Value): readonly (readonly [Value, Value])[] {
  if (over === null) return [];
  if (Array.isArray(over)) return over.map((v, i) => [BigInt(i), v as Value]);
  if (over instanceof Map) return [...over.keys()].sort().map((k) => [k, over.get(k) as Value]);
  if (typeof over === "bigint") {
    if (over > BigInt(MAX_STEPS - x.steps)) fail(x, at, `more than ${MAX_STEPS} steps`);
    return Array.from({ length: Math.max(0, Number(over)) }, (_, i) => [BigInt(i), BigInt(i)]);
  }
  return fail(x, at, `range can't iterate over ${printValue(over)}`);
}

function runTemplate(x: Execution, node: Extract<Node, { kind: "template" }>, scope: Scope): void {
  const called = x.defined.get(node.name);
  if (called === undefined) fail(x, node.at, `template ${JSON.stringify(node.name)} not defined`);
  const dot = node.pipe === undefined ? null : evaluatePipe(x, node.pipe, scope);
  callTemplate(x, called, dot, node.at);
}

function callTemplate(x: Execution, called: DefinedTemplate, dot: Value, at: number): void {
  if (++x.depth > MAX_DEPTH) fail(x, at, `templates are nested deeper than ${MAX_DEPTH}`);
  const caller = x.template;
  x.template = called;
  runList(x, called.body, { dot, variables: [{ name: "$", value: dot }] });
  x.template = caller;
  x.depth--;
}

function evaluatePipe(x: Execution, pipe: Pipe, scope: Scope): Value {
  const value = evaluateCommands(x, pipe, scope);
  for (const name of pipe.names) {
    if (pipe.declares) scope.variables.push({ name, value });
    else assign(x, pipe.at, scope, name, value);
  }
  return value;
}

function assign(x: Execution, at: number, scope: Scope, name: string, value: Value): void {
  const variable = scope.variables.findLast((v) => v.name === name);
  if (variable === undefined) fail(x, at, `undefined variable: ${name}`);
  else variable.value = value;
}

function evaluateCommands(x: Execution, pipe: Pipe, scope: Scope): Value {
  let value: Value = null;
  for (const [i, command] of pipe.commands.entries()) {
    value = evaluateCommand(x, command, scope, i === 0 ? [] : [value]);
  }
  return value;
}

function evaluateCommand(x: Execution, command: Command, scope: Scope, piped: readonly Value[]): Value {
  step(x, command.at);
  const [head, ...rest] = command.args as [Arg, ...Arg[]];
  if (head.kind === "function") return callFunction(x, head, rest, scope, piped);
  const args = () => [...rest.map((a) => evaluateArg(x, a, scope)), ...piped];
  if (head.kind === "chain") return evaluateChain(x, head, scope, args);
  if (rest.length > 0 || piped.length > 0) {
    fail(x, command.at, `can't give argument to non-function ${x.template.text.slice(head.at, head.at + 20)}`);
  }
  if (head.kind === "nil") fail(x, head.at, "nil is not a command");
  return evaluateArg(x, head, scope);
}

function evaluateArg(x: Execution, arg: Arg, scope: Scope): Value {
  switch (arg.kind) {
    case "dot":
      return scope.dot;
    case "nil":
      return null;
    case "literal":
      return arg.value;
    case "variable": {
      const variable = scope.variables.findLast((v) => v.name === arg.name);
      return variable === undefined ? fail(x, arg.at, `undefined variable: ${arg.name}`) : variable.value;
    }
    case "pipe":
      return evaluatePipe(x, arg.pipe, scope);
    case "function":
      return callFunction(x, arg, [], scope, []);
    case "chain":
      return evaluateChain(x, arg, scope, () => []);
  }
}

/** Fields one after the other; the arguments go to the last, which is then a method. */
function evaluateChain(x: Execution, chain: Extract<Arg, { kind: "chain" }>, scope: Scope, args: () => Value[]): Value {
  let value = evaluateArg(x, chain.of, scope);
  for (const [i, field] of chain.fields.entries()) {
    value = fieldOf(x, chain.at, value, field, i === chain.fields.length - 1 ? args() : []);
  }
  return value;
}

function fieldOf(x: Execution, at: number, of: Value, field: string, args: readonly Value[]): Value {
  if (of === null || of === undefined) return fail(x, at, `nil data; no entry for key ${JSON.stringify(field)}`);
  const method = methodOf(of, field);
  if (method !== undefined) return guarded(x, at, field, method, args);
  if (of instanceof Map) {
    if (args.length > 0) fail(x, at, `${field} is not a method but has arguments`);
    return of.get(field) ?? missingIn(of);
  }
  if (!isObject(of)) {
    return fail(x, at, `can't evaluate field ${field} in type ${kindOf(of)}`);
  }
  if (!Object.hasOwn(of, field)) return fail(x, at, `can't evaluate field ${field} in this value`);
  const value = of[field] as Value;
  if (typeof value === "function") return guarded(x, at, field, value, args);
  if (args.length > 0) fail(x, at, `${field} has arguments but cannot be invoked as function`);
  return value;
}

function callFunction(
  x: Execution,
  head: Extract<Arg, { kind: "function" }>,
  rest: readonly Arg[],
  scope: Scope,
  piped: readonly Value[],
): Value {
  const { name, at } = head;
  if (name === "and" || name === "or") {
    // Evaluated only as far as needed.
    let value: Value = null;
    for (const arg of rest) {
      value = evaluateArg(x, arg, scope);
      if (isTrue(value) === (name === "or")) return value;
    }
    if (piped.length > 0) return piped[0] as Value;
    return rest.length > 0 ? value : fail(x, at, `wrong number of args for ${name}: want at least 1 got 0`);
  }
  const args = [...rest.map((a) => evaluateArg(x, a, scope)), ...piped];
  if (name === "call") {
    const [callee, ...others] = args;
    return typeof callee === "function" ? guarded(x, at, name, callee, others) : fail(x, at, "call of a non-function");
  }
  const f = x.functions[name] ?? BUILTIN_FUNCTIONS[name];
  return f === undefined
    ? fail(x, at, `${JSON.stringify(name)} is not a defined function`)
    : guarded(x, at, name, f, args);
}

function guarded(x: Execution, at: number, name: string, f: TemplateFunction, args: readonly Value[]): Value {
  if (args.length < f.length)
    fail(x, at, `wrong number of args for ${name}: want at least ${f.length} got ${args.length}`);
  try {
    // A function says itself which values it takes, and checks them.
    return f(...(args as readonly never[]));
  } catch (error) {
    if (error instanceof TemplateError || error instanceof TemplateInterrupt) throw error;
    return fail(x, at, `error calling ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
