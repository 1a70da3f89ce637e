import { namesRead } from '../../expr/reads.ts';
import { type Block, fieldOf, listOf, mapOf } from '../../file/block.ts';
import { Dict, Later, Path, PythonError, Struct, truthy, tryText, Url, type Value } from '../../python/value.ts';
import { evaluateList, evaluateMap } from '../collections.ts';
import { asContext, attempt, each, evaluateExpr, type FieldScope, isKnown, type Known, Refused } from '../outcome.ts';
import { fullPath, laterEntry, sectionsOf } from './flow-contexts.ts';
import { platformUri } from './place.ts';
import type { World } from './world.ts';

/** An image as it is known before anything runs. */
export interface EarlyImage {
  readonly block: Block;
  readonly ref: Value;
  readonly context: Value;
  readonly dockerfile: Value;
  readonly dockerfileRel: Value;
}

/** Images by id, with those that were refused: these are waited for. */
export interface EarlyImages {
  readonly images: ReadonlyMap<string, EarlyImage>;
  readonly refused: ReadonlySet<string>;
}

/**
 * Images with their places to build from. In an action, `context` and `dockerfile` may use inputs, which come later;
 * `ref` may not.
 * @throws Refused where a section is none
 */
export function earlyImages(
  world: World,
  blocks: readonly (Block | undefined)[],
  at: FieldScope,
  lenient: boolean,
): EarlyImages {
  const images = new Map<string, EarlyImage>();
  const missing = new Set<string>();
  for (const [entries, refused] of sectionsOf(blocks, 'images')) {
    for (const id of refused) missing.add(id);
    for (const [id, block] of entries) {
      const image = attempt(() => earlyImage(world, block, at, lenient));
      if (image === undefined) missing.add(id);
      else images.set(id, image.value);
    }
  }
  return { images, refused: missing };
}

function earlyImage(world: World, block: Block, at: FieldScope, lenient: boolean): EarlyImage {
  const path = (name: string): Value => {
    const expr = fieldOf(block, name, 'expr');
    if (expr === undefined) return null;
    if (lenient && expr.parts !== undefined && namesRead(expr.parts).has('inputs')) return null;
    return localOrStorage(world, asContext(evaluateExpr(expr, at)), block, expr);
  };
  const ref = fieldOf(block, 'ref', 'expr');
  const [context = null, dockerfile = null] = each(['context', 'dockerfile'], path);
  return {
    block,
    ref: ref === undefined ? null : asContext(evaluateExpr(ref, at)),
    context,
    dockerfile,
    dockerfileRel: relative(block, context, dockerfile),
  };
}

function localOrStorage(
  world: World,
  value: Value,
  block: Block,
  span: { readonly start: number; readonly end: number },
): Value {
  const text = tryText(value);
  if (text === undefined) return value;
  if (!text.startsWith('storage')) return fullPath(new Path(text, true), world.workspace.root);
  try {
    return platformUri(text, world.place, world.place.project, { short: false });
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    block.report.add('FLOW_VALUE', span, error.message);
    throw new Refused();
  }
}

function relative(block: Block, context: Value, dockerfile: Value): Value {
  if (context === null && dockerfile === null) return null;
  if (block.refused.has('context') || block.refused.has('dockerfile')) return null;
  if (context instanceof Later || dockerfile instanceof Later) return null;
  const refuse = (message: string, hint: string): never => {
    block.report.add('FLOW_IMAGE_BUILD', block.key ?? block, message, hint);
    throw new Refused();
  };
  if (context === null || dockerfile === null) {
    return refuse(
      `\`${context === null ? 'context' : 'dockerfile'}\` is missing`,
      'give both `context` and `dockerfile`, or none of them',
    );
  }
  if (context instanceof Path !== dockerfile instanceof Path) {
    return refuse('one of `context` and `dockerfile` is local, the other on storage', 'put both in one place');
  }
  const [base, file] = [context, dockerfile].map((place) =>
    place instanceof Path ? place.text : place instanceof Url ? place.text.replace(/^[a-z]+:\/\/[^/]*/, '') : '',
  );
  if (
    base !== undefined &&
    file !== undefined &&
    (file === base || file.startsWith(base.endsWith('/') ? base : `${base}/`))
  ) {
    return new Path(file.slice(base.length).replace(/^\//, ''), context instanceof Path);
  }
  return refuse(
    '`dockerfile` does not lie within `context`',
    'both are named from the workspace: context: sub, dockerfile: sub/Dockerfile',
  );
}

/** How an image is built, as far as it is known before anything runs. What is not known waits for `inputs` of its call. */
export interface ImageDefinition {
  /** The whole id of the call that it lies in; empty: the flow itself. */
  readonly call: string;
  readonly id: string;
  readonly ref: string;
  readonly source: Block;
  /** A `Url` of the storage, a `Path` on the user's machine, or, where it comes with inputs, its text. */
  readonly context: Known;
  readonly dockerfile: Known;
  /** From the context on, where that is known. */
  readonly dockerfileRel: string | null;
  readonly buildArgs: readonly Known[];
  readonly env: ReadonlyMap<string, Known>;
  readonly volumes: readonly Known[];
  readonly preset: Known;
  readonly force: Known;
  readonly kanikoArgs: Known;
}

/**
 * The folder of the storage that an image is built from, where that is known before anything runs. A local one is copied
 * to where apolo-flow copies it.
 */
export function contextFolder(
  { context, ref }: Pick<ImageDefinition, 'context' | 'ref'>,
  { project, flow }: { readonly project: string; readonly flow: string },
): string | null {
  if (context instanceof Url) return context.text;
  if (!(context instanceof Path)) return null;
  return `storage:/${project}/.flow/${flow}/${ref.replaceAll(':', '/').replace(/\/{2,}/g, '/')}`;
}

/** The `images` context, and how its images are built. @param call the whole id of the call that they lie in */
export function imagesContext(
  { images, refused }: EarlyImages,
  at: FieldScope,
  call = '',
): { readonly context: Dict; readonly definitions: readonly ImageDefinition[] } {
  const later = laterEntry('images');
  const context = new Dict([...refused].map((id) => [id, later]));
  const definitions: ImageDefinition[] = [];
  for (const [id, image] of images) {
    const fields = attempt(() => buildFields(image, at))?.value;
    context.set(id, fields === undefined ? later : structOf(id, image, fields));
    const ref = tryText(image.ref);
    if (fields === undefined || ref === undefined) continue;
    definitions.push({ call, id, ref, source: image.block, ...definitionOf(image, fields, at) });
  }
  return { context, definitions };
}

interface BuildFields {
  readonly args: Known<readonly Known[]>;
  readonly env: Known<ReadonlyMap<string, Known>>;
  readonly volumes: Known<readonly Known[]>;
  readonly preset: Known;
  readonly force: Known;
  readonly kanikoArgs: Known;
}

function buildFields({ block }: EarlyImage, at: FieldScope): BuildFields {
  const list = (name: string): Known<readonly Known[]> => {
    const field = listOf(block, name);
    return field === undefined ? [] : evaluateList(field, at);
  };
  const [args, volumes] = [list('build_args'), list('volumes')];
  const env = mapOf(block, 'env');
  const variables = env === undefined ? new Map<string, Known>() : evaluateMap(env, at);
  const [preset = null, force = null, kanikoArgs = null] = each(
    ['build_preset', 'force_rebuild', 'extra_kaniko_args'],
    (name): Known => {
      const expr = fieldOf(block, name, 'expr');
      return expr === undefined ? null : evaluateExpr(expr, at);
    },
  );
  return { args, env: variables, volumes, preset, force, kanikoArgs };
}

function definitionOf(
  { block, context, dockerfile, dockerfileRel }: EarlyImage,
  { args, env, volumes, ...single }: BuildFields,
  at: FieldScope,
): Omit<ImageDefinition, 'call' | 'id' | 'ref' | 'source'> {
  const place = (name: string, early: Value): Known => {
    const expr = early === null ? fieldOf(block, name, 'expr') : undefined;
    return expr === undefined ? early : (attempt(() => evaluateExpr(expr, at))?.value ?? null);
  };
  return {
    context: place('context', context),
    dockerfile: place('dockerfile', dockerfile),
    dockerfileRel: dockerfileRel instanceof Path ? dockerfileRel.text : null,
    buildArgs: isKnown(args) ? args : [args],
    env: isKnown(env) ? env : new Map([['$expr', env]]),
    volumes: isKnown(volumes) ? volumes : [volumes],
    ...single,
  };
}

function structOf(
  id: string,
  { ref, context, dockerfile, dockerfileRel }: EarlyImage,
  { args, env, volumes, preset, force, kanikoArgs }: BuildFields,
): Struct {
  const list = (items: Known<readonly Known[]>): Value => (isKnown(items) ? items.map(asContext) : asContext(items));
  const mounts = list(volumes);
  const forced = asContext(force);
  return new Struct('ImageCtx', {
    id,
    ref,
    context,
    dockerfile,
    dockerfile_rel: dockerfileRel,
    build_args: list(args),
    env: isKnown(env) ? new Dict([...env].map(([name, value]) => [name, asContext(value)])) : asContext(env),
    volumes: Array.isArray(mounts) ? mounts.filter(truthy) : mounts,
    build_preset: asContext(preset),
    force_rebuild: forced instanceof Later ? forced : truthy(forced),
    extra_kaniko_args: asContext(kanikoArgs),
  });
}
