import { nearest } from '@delos/core';
import { longer } from '../../expr/evaluate.ts';
import { childrenOf } from '../../expr/reads.ts';
import type { Getter, Node } from '../../expr/syntax.ts';
import type { FlowCode } from '../../file/codes.ts';
import { type Expr, spanWithin, type WholeExpr } from '../../file/expr.ts';
import { GIT_FIELDS, IMAGE_FIELDS, STRATEGY_FIELDS, VOLUME_FIELDS } from '../later-shapes.ts';
import { writtenText } from '../outcome.ts';

/*
 * The check before a bake: which contexts and which of their fields an expression names, in dead branches too. What
 * stands in contexts of free keys is not looked at here, but for `needs` and `inputs`.
 */

/** Shapes of contexts: objects with known fields, mappings to a shape, sets; undefined: not looked into. */
type Shape =
  | { readonly is: 'object'; readonly name: string; readonly fields: Readonly<Record<string, Shape | undefined>> }
  | { readonly is: 'mapping'; readonly of: Shape | undefined; readonly keys?: 'needs' | 'inputs' }
  | { readonly is: 'set' };

const object = (name: string, fields: readonly string[], more: Readonly<Record<string, Shape>> = {}): Shape => ({
  is: 'object',
  name,
  fields: { ...Object.fromEntries(fields.map((field) => [field, undefined])), ...more },
});
const TEXTS: Shape = { is: 'mapping', of: undefined };
const PROJECT = object('project', ['id', 'project_name', 'owner']);
const ACTION_FLOW = object('flow', ['flow_id', 'project_id', 'workspace', 'title', 'username', 'action_path']);
const GIT = object('git', GIT_FIELDS);
const VOLUMES: Shape = {
  is: 'mapping',
  of: object('a volume', VOLUME_FIELDS),
};
const IMAGES: Shape = {
  is: 'mapping',
  of: object('an image', IMAGE_FIELDS),
};
const NEEDS: Shape = { is: 'mapping', keys: 'needs', of: object('a needed task', ['result', 'outputs']) };
const INPUTS: Shape = { is: 'mapping', keys: 'inputs', of: undefined };
const STRATEGY = object('strategy', STRATEGY_FIELDS);

/** Contexts of a place; an absent one is not available there. */
export type PlaceShape = Readonly<Record<string, Shape | undefined>>;

export const FLOW_TASK: PlaceShape = {
  project: PROJECT,
  flow: undefined,
  params: TEXTS,
  git: GIT,
  env: TEXTS,
  tags: { is: 'set' },
  volumes: VOLUMES,
  images: IMAGES,
  strategy: STRATEGY,
  matrix: TEXTS,
  needs: NEEDS,
  state: TEXTS,
};
export const ACTION: PlaceShape = { flow: ACTION_FLOW, git: GIT, inputs: INPUTS, images: IMAGES, strategy: STRATEGY };
export const ACTION_OUTPUTS: PlaceShape = { ...ACTION, needs: NEEDS };
export const ACTION_TASK: PlaceShape = { ...ACTION, matrix: TEXTS, needs: NEEDS, state: TEXTS };
export const INPUTS_ONLY: PlaceShape = { inputs: INPUTS };

/** Tasks of a module see what its caller sees. */
export const moduleTask = (caller: PlaceShape): PlaceShape => ({ ...caller, ...ACTION_TASK });

export interface KnownNames {
  /** Undefined: not all of them are known. */
  readonly needs: ReadonlySet<string> | undefined;
  readonly inputs: ReadonlySet<string>;
}

/** Reports every name of an expression that its place does not have; true where there is none. */
export function checkExpr(expr: Expr | WholeExpr | undefined, place: PlaceShape, known: KnownNames): boolean {
  const parts = expr?.parts;
  if (expr === undefined || parts === undefined) return true;
  let good = true;
  const say = (
    code: FlowCode,
    node: { readonly start: number; readonly end: number },
    message: string,
    candidates: readonly string[],
    word: string,
  ): void => {
    good = false;
    const near = nearest(word, candidates) ?? longer(word, candidates);
    const hint =
      near === undefined ? `there are: ${[...candidates].sort().join(', ') || 'none'}` : `did you mean \`${near}\`?`;
    expr.report.add(code, spanWithin(writtenText(expr, parts), expr, expr.report, node), message, hint);
  };
  const visit = (node: Node, local: ReadonlySet<string>): void => {
    if (node.kind === 'lookup' && !local.has(node.root)) checkLookup(node, place, known, say);
    for (const child of lookedAt(node))
      visit(child, node.kind === 'comprehension' ? new Set([...local, node.variable]) : local);
  };
  for (const part of parts) if (part.kind === 'expression') visit(part.node, new Set());
  return good;
}

type Say = (
  code: FlowCode,
  node: { readonly start: number; readonly end: number },
  message: string,
  candidates: readonly string[],
  word: string,
) => void;

function checkLookup(node: Node & { readonly kind: 'lookup' }, place: PlaceShape, known: KnownNames, say: Say): void {
  if (!Object.hasOwn(place, node.root)) {
    say(
      'FLOW_CONTEXT',
      { start: node.start, end: node.start + node.root.length },
      `there is no \`${node.root}\` here`,
      Object.keys(place),
      node.root,
    );
    return;
  }
  let shape = place[node.root];
  let path = node.root;
  for (const getter of node.trailer) {
    if (shape === undefined) return;
    const next = step(shape, getter, path, known, say);
    if (next === false) return;
    shape = next;
    path += getter.kind === 'attribute' ? `.${getter.name}` : '[…]';
  }
}

function step(shape: Shape, getter: Getter, path: string, known: KnownNames, say: Say): Shape | undefined | false {
  if (getter.kind === 'item') {
    if (shape.is === 'mapping') return shape.of;
    say('FLOW_NAME', getter, `\`${path}\` takes no \`[ ]\``, [], '');
    return false;
  }
  const { name } = getter;
  if (shape.is === 'set') {
    say('FLOW_NAME', getter, `\`${path}\` has no \`${name}\``, [], name);
    return false;
  }
  if (shape.is === 'object') {
    if (Object.hasOwn(shape.fields, name)) return shape.fields[name];
    say('FLOW_NAME', getter, `\`${path}\` has no \`${name}\``, Object.keys(shape.fields), name);
    return false;
  }
  if (shape.keys === 'needs' && known.needs?.has(name) === false)
    say('FLOW_NAME', getter, `this task does not need \`${name}\``, [...known.needs], name);
  if (shape.keys === 'inputs' && !known.inputs.has(name))
    say('FLOW_NAME', getter, `there is no input \`${name}\``, [...known.inputs], name);
  return shape.of;
}

/** Sub-expressions that are looked at: all but the condition of a comprehension. */
const lookedAt = (node: Node): readonly Node[] =>
  node.kind === 'comprehension' ? [node.item, node.source] : childrenOf(node);
