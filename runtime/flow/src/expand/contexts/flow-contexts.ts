import { type Block, entriesOf, fieldOf, refusedIn } from '../../file/block.ts';
import type { Expr } from '../../file/expr.ts';
import { Dict, Later, Path, Struct, truthy, Url, type Value } from '../../python/value.ts';
import { LATER_SHAPES } from '../later-shapes.ts';
import { asContext, attempt, each, evaluateExpr, type FieldScope, isKnown, Refused } from '../outcome.ts';
import { git } from './contexts.ts';
import { volume } from './place.ts';
import { groundScope } from './scopes.ts';
import type { World } from './world.ts';

/** A constant, or the value of an expression that may use nothing. @throws Refused */
export const evaluateAlone = (world: World, expr: Expr | undefined): Value => {
  if (expr === undefined) return null;
  const value = evaluateExpr(expr, groundScope(world));
  return isKnown(value) ? value : null;
};

export function projectContext(world: World, project: Block | undefined): Struct {
  const of = (name: string): Value => evaluateAlone(world, fieldOf(project, name, 'expr'));
  const id = project === undefined ? folderId(world) : of('id');
  const name = of('project_name');
  return new Struct('ProjectCtx', { id, project_name: truthy(name) ? name : world.place.project, owner: of('owner') });
}

/** The workspace's folder names the project where no project file does. */
function folderId(world: World): string {
  const folder = world.workspace.root.split('/').at(-1) ?? '';
  const stem = /^(.+?)\.[^.]*$/.exec(folder)?.[1] ?? folder;
  return stem.replaceAll('-', '_');
}

export function flowContext(world: World, flow: Block, name: string, project: Struct): Struct {
  const of = (key: string): Value => evaluateAlone(world, fieldOf(flow, key, 'expr'));
  const given = of('id');
  const id = given === null ? name.replaceAll('-', '_') : given;
  const title = of('title');
  const base = {
    flow_id: id,
    project_id: project.fields.id ?? null,
    workspace: new Path(world.workspace.root, true),
    title: truthy(title) ? title : id,
    username: world.place.user,
  };
  return flow.name === 'batchFlow'
    ? new Struct('BatchFlowCtx', { ...base, life_span: of('life_span') })
    : new Struct('FlowCtx', base);
}

/** The `flow` context inside of an action. */
export function actionFlow(flow: Struct, actionFile: string): Struct {
  const { life_span: _, action_path: __, ...base } = flow.fields;
  const folder = actionFile.includes('/') ? actionFile.slice(0, actionFile.lastIndexOf('/')) || '/' : '.';
  return new Struct('ActionFlowCtx', { ...base, action_path: new Path(folder, true) });
}

/** `git`: not known where a flow is set up, read where its tasks run; undefined where the world does not tell. */
export const gitContext = (world: World): Struct | undefined => (world.git === undefined ? undefined : git(world.git));
export const noGit = (): Struct => git(null);

/**
 * The `params` context. What was refused is waited for.
 * @throws Refused where all of it was, or one has no value, unless the world leaves parameters open
 */
export function paramsContext(world: World, block: Block, at: FieldScope, strict: boolean): Dict {
  const given = world.params ?? {};
  const declared = entriesOf(block, 'params');
  const refused = refusedIn(block, 'params');
  if (refused === undefined) throw new Refused();
  const extra = strict ? Object.keys(given).filter((name) => !declared.has(name) && !refused.has(name)) : [];
  for (const name of extra) {
    const names = [...declared.keys()].join(', ') || 'none';
    block.report.add(
      'FLOW_PARAM',
      { start: block.start, end: block.start + 1 },
      `there is no parameter \`${name}\``,
      `there are: ${names}`,
    );
  }
  const of = (name: string, param: Block): Value => {
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    if (own !== undefined) return own;
    const value = fieldOf(param, 'default', 'expr');
    const result = value === undefined ? null : evaluateExpr(value, at);
    if (result !== null) return isKnown(result) ? result : laterEntry('params', result.waits[0]);
    if (world.openParams === true || param.refused.has('default')) return laterEntry('params');
    param.report.add(
      'FLOW_PARAM',
      param.key ?? param,
      `the parameter \`${name}\` has no value`,
      `give it by --param ${name}=VALUE, or a default here`,
    );
    throw new Refused();
  };
  return section('params', [[declared, refused]], of);
}

/** An entry of a context that comes later: what it waits for, where that is not the context itself. */
export function laterEntry(context: string, waits = context): Later {
  const shape = LATER_SHAPES[context];
  return new Later(waits, shape?.is === 'mapping' ? shape.of : undefined);
}

type Entries = readonly [entries: ReadonlyMap<string, Block>, refused: ReadonlySet<string>];

/** A context with an entry for each block; those that were refused are waited for, so that they hide no other fault. */
export function section(context: string, parts: readonly Entries[], of: (id: string, block: Block) => Value): Dict {
  const result = new Dict();
  for (const [entries, refused] of parts) {
    const later = laterEntry(context);
    for (const id of refused) result.set(id, later);
    for (const [id, block] of entries) result.set(id, attempt(() => of(id, block))?.value ?? later);
  }
  return result;
}

/** Blocks of a section of several files. @throws Refused where one of them has a section that is none */
export const sectionsOf = (blocks: readonly (Block | undefined)[], name: string): readonly Entries[] =>
  each(blocks, (block) => {
    const refused = refusedIn(block, name);
    if (refused === undefined) throw new Refused();
    return [entriesOf(block, name), refused] as const;
  });

/** The `volumes` context. @throws Refused where a section is none */
export function volumesContext(blocks: readonly (Block | undefined)[], at: FieldScope, workspace: string): Dict {
  return section('volumes', sectionsOf(blocks, 'volumes'), (id, block) => {
    const one = (name: string): Value => {
      const expr = fieldOf(block, name, 'expr');
      return expr === undefined ? null : asContext(evaluateExpr(expr, at));
    };
    const values = each(['local', 'remote', 'mount', 'read_only'], one);
    const [local = null, remote = null, mount = null, readOnly = null] = values;
    const unknown = values.find((value) => value instanceof Later);
    if (unknown instanceof Later) return laterEntry('volumes', unknown.waits);
    const localPath = local instanceof Path ? local : null;
    return volume({
      id,
      remote: remote instanceof Url ? remote : new Url(''),
      mount: mount instanceof Path ? mount : new Path('', false),
      readOnly: truthy(readOnly),
      local: localPath,
      fullLocalPath: fullPath(localPath, workspace),
    });
  });
}

export function fullPath(path: Path | null, workspace: string): Path | null {
  if (path === null || path.text.startsWith('/')) return path;
  const parts: string[] = [];
  for (const part of `${workspace}/${path.text}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return new Path(`/${parts.join('/')}`, true);
}
