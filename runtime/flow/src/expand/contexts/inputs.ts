import { nearest } from '@delos/core';
import { type Block, fieldOf, mapOf } from '../../file/block.ts';
import type { Expr } from '../../file/expr.ts';
import { hasType } from '../../file/words.ts';
import { str } from '../../python/text.ts';
import { Dict, typeName } from '../../python/value.ts';
import { attempt, each, evaluateExpr, type FieldScope, isKnown, type Known, Refused } from '../outcome.ts';
import { laterEntry } from './flow-contexts.ts';

type Inputs = ReadonlyMap<string, Block>;

/** Arguments against the inputs that are declared: missing ones, further ones. @throws Refused */
export function checkInputs(call: Block, inputs: Inputs): void {
  if (call.refused.has('args')) throw new Refused();
  const args = mapOf(call, 'args');
  const entries = args?.kind === 'map' ? args.entries.map(([name, expr]) => [str(name), expr] as const) : [];
  const given = new Map(entries);
  const refused: ReadonlySet<string> = args?.kind === 'map' ? args.refused : new Set();
  const missing = new Set(
    [...inputs].flatMap(([name, input]) => {
      const required = (fieldOf(input, 'default', 'expr')?.given ?? null) === null;
      return required && !given.has(name) && !refused.has(name) ? [name] : [];
    }),
  );
  const extra = entries.filter(([name]) => !inputs.has(name));
  for (const [name, expr] of extra) {
    const near = nearest(name, [...missing]) ?? nearest(name, [...inputs.keys()]);
    // One that was meant is not missing besides.
    if (near !== undefined) missing.delete(near);
    const hint =
      near === undefined ? `there are: ${[...inputs.keys()].join(', ') || 'none'}` : `did you mean \`${near}\`?`;
    call.report.add('FLOW_INPUT', expr, `the action has no input \`${name}\``, hint);
  }
  if (missing.size > 0) {
    const at = args ?? fieldOf(call, 'action', 'expr') ?? fieldOf(call, 'module', 'expr') ?? call;
    const names = [...missing].map((name) => `\`${name}\``).join(', ');
    call.report.add('FLOW_INPUT', at, `the action needs ${names}`, 'give them under `args`');
  }
  if (missing.size > 0 || extra.length > 0) throw new Refused();
}

/** Says what is wrong with arguments alone, where the inputs that they are for are not known. */
export function evaluateArgs(call: Block | undefined, at: FieldScope): void {
  const args = mapOf(call, 'args');
  for (const [, expr] of args?.kind === 'map' ? args.entries : []) attempt(() => evaluateExpr(expr, at));
}

/** The `inputs` context; what an argument waits for, its input waits for. @throws Refused */
export function inputsContext(call: Block, inputs: Inputs, at: FieldScope): Dict {
  const result = new Dict();
  for (const [name, value] of knownInputs(call, inputs, at)) {
    result.set(name, isKnown(value) ? value : laterEntry('inputs'));
  }
  const args = mapOf(call, 'args');
  for (const name of args?.kind === 'map' ? args.refused : []) result.set(name, laterEntry('inputs'));
  return result;
}

/** Values of inputs. Without the key `args`, no default applies: the authority has it so. @throws Refused */
export function knownInputs(call: Block, inputs: Inputs, at: FieldScope): ReadonlyMap<string, Known> {
  checkInputs(call, inputs);
  const args = mapOf(call, 'args');
  if (args?.kind !== 'map') return new Map();
  const result = new Map(
    each(args.entries, ([key, expr]): readonly [string, Known] => {
      const name = str(key);
      const value = evaluateExpr(expr, at);
      checkType(call, name, fieldOf(inputs.get(name), 'type', 'choice')?.value ?? 'str', expr, value);
      return [name, value];
    }),
  );
  for (const [name, input] of inputs) {
    const value = fieldOf(input, 'default', 'expr');
    if (!result.has(name) && value !== undefined && value.given !== null) result.set(name, value.constant);
  }
  return result;
}

const HINTS: Readonly<Record<string, string>> = {
  int: 'write ${{ 5 }}',
  float: 'write ${{ 0.5 }}',
  bool: 'write ${{ True }}',
  str: 'write ${{ str(…) }}',
};

/** A value of another type than its input's; one that is not known yet may be known to be of another type. */
function checkType(call: Block, name: string, type: string, expr: Expr, value: Known): void {
  let found: string;
  if (isKnown(value)) {
    if (hasType(value, type)) return;
    found = typeName(value);
  } else {
    const { gives } = value;
    // A value of no such type becomes text.
    const certain = gives === 'other' ? 'str' : gives;
    if (certain === undefined || certain === type || (certain === 'bool' && type === 'int')) return;
    found = certain;
  }
  call.report.add('FLOW_INPUT', expr, `the input \`${name}\` is ${type}, this is ${found}`, HINTS[type]);
  throw new Refused();
}
