import { namesRead } from '../../expr/reads.ts';
import { type Block, fieldOf, listOf, mapOf } from '../../file/block.ts';
import { Dict, Later, Path, PythonError, Struct, truthy, tryText, Url, type Value } from '../../python/value.ts';
import { evaluateList, evaluateMap } from '../collections.ts';
import { asContext, attempt, each, evaluateExpr, type FieldScope, isKnown, Refused } from '../outcome.ts';
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

/** The `images` context. */
export function imagesContext({ images, refused }: EarlyImages, at: FieldScope): Dict {
  const later = laterEntry('images');
  const result = new Dict([...refused].map((id) => [id, later]));
  for (const [id, image] of images) result.set(id, attempt(() => imageContext(id, image, at))?.value ?? later);
  return result;
}

function imageContext(id: string, image: EarlyImage, at: FieldScope): Struct {
  const { block, ref, context, dockerfile, dockerfileRel } = image;
  const one = (name: string): Value => {
    const expr = fieldOf(block, name, 'expr');
    return expr === undefined ? null : asContext(evaluateExpr(expr, at));
  };
  const list = (name: string): Value => {
    const field = listOf(block, name);
    if (field === undefined) return [];
    const items = evaluateList(field, at);
    return isKnown(items) ? items.map(asContext) : asContext(items);
  };
  const env = mapOf(block, 'env');
  const variables = env === undefined ? new Map() : evaluateMap(env, at);
  const volumes = list('volumes');
  const [preset = null, force = null, extra = null] = each(['build_preset', 'force_rebuild', 'extra_kaniko_args'], one);
  return new Struct('ImageCtx', {
    id,
    ref,
    context,
    dockerfile,
    dockerfile_rel: dockerfileRel,
    build_args: list('build_args'),
    env: isKnown(variables)
      ? new Dict([...variables].map(([name, value]) => [name, asContext(value)]))
      : asContext(variables),
    volumes: Array.isArray(volumes) ? volumes.filter(truthy) : volumes,
    build_preset: preset,
    force_rebuild: force instanceof Later ? force : truthy(force),
    extra_kaniko_args: extra,
  });
}
