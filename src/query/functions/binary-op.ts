import { PRESENT_FLOAT } from "../execute/vector.ts";

/** Binary operators on two floats. */
export function isComparison(op: string): boolean {
  return op === "==" || op === "!=" || op === "<" || op === "<=" || op === ">" || op === ">=";
}

export function arithmetic(op: string, a: number, b: number): number {
  switch (op) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "%":
      return a % b;
    case "^":
      return power(a, b);
    case "atan2":
      return Math.atan2(a, b);
    default:
      throw new Error(`not an arithmetic operator: ${op}`);
  }
}

/** IEEE 754 pow: 1 to any power and (+-1) to an infinite one are 1, where JavaScript says NaN. */
function power(a: number, b: number): number {
  if (a === 1 || (a === -1 && (b === Number.POSITIVE_INFINITY || b === Number.NEGATIVE_INFINITY))) return 1;
  return a ** b;
}

export function compare(op: string, a: number, b: number): boolean {
  switch (op) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    default:
      throw new Error(`not a comparison operator: ${op}`);
  }
}

/**
 * The floats of a vector's row with a scalar, in place; native histograms stay as they are. A comparison without `bool` keeps
 * the samples for which it holds, with the vector's value; with `bool` it gives 0 or 1.
 */
export function applyScalar(
  op: string,
  scalar: Float64Array,
  scalarOnLeft: boolean,
  returnBool: boolean,
  values: Float64Array,
  present: Uint8Array,
  base: number,
  steps: number,
): void {
  const comparison = isComparison(op);
  for (let s = 0; s < steps; s++) {
    const cell = base + s;
    if (present[cell] !== PRESENT_FLOAT) continue;
    const v = values[cell] as number;
    const c = scalar[s] as number;
    const a = scalarOnLeft ? c : v;
    const b = scalarOnLeft ? v : c;
    if (!comparison) values[cell] = arithmetic(op, a, b);
    else if (returnBool) values[cell] = compare(op, a, b) ? 1 : 0;
    else if (!compare(op, a, b)) present[cell] = 0;
  }
}
