import { type Block, fieldOf, listOf, mapOf } from '../file/block.ts';
import { Dict, Later, Path, PythonError, Struct, truthy, tryText, Url, type Value } from '../python/value.ts';
import {
  asContext,
  each,
  evaluateExpr,
  evaluateList,
  evaluateMap,
  type FieldScope,
  isKnown,
  Refused,
} from './outcome.ts';
import { platformUri } from './place.ts';
import { fullPath } from './setup.ts';
import type { World } from './world.ts';

/** An image as it is known before anything runs. */
export interface EarlyImage {
  readonly block: Block;
  readonly ref: Value;
  readonly context: Value;
  readonly dockerfile: Value;
  readonly dockerfileRel: Value;
}

/**
 * Images with their places to build from. In an action, `context` and `dockerfile` may use inputs, which come later;
 * `ref` may not.
 * @throws Refused
 */
export function earlyImages(
  world: World,
  blocks: ReadonlyMap<string, Block>,
  at: FieldScope,
  lenient: boolean,
): ReadonlyMap<string, EarlyImage> {
  return new Map(
    each(blocks, ([id, block]) => {
      const path = (name: string): Value => {
        const expr = fieldOf(block, name, 'expr');
        if (expr === undefined) return null;
        const inputs = lenient && expr.parts !== undefined && /\binputs\b/.test(String(expr.given));
        if (inputs) return null;
        return localOrStorage(world, asContext(evaluateExpr(expr, at)), block, expr);
      };
      const ref = fieldOf(block, 'ref', 'expr');
      const [context = null, dockerfile = null] = each(['context', 'dockerfile'], path);
      const early = {
        block,
        ref: ref === undefined ? null : asContext(evaluateExpr(ref, at)),
        context,
        dockerfile,
        dockerfileRel: relative(block, context, dockerfile),
      };
      return [id, early] as const;
    }),
  );
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

/** The `images` context. @throws Refused */
export function imagesContext(images: ReadonlyMap<string, EarlyImage>, at: FieldScope): Dict {
  return new Dict(
    each(images, ([id, { block, ref, context, dockerfile, dockerfileRel }]) => {
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
      const [preset = null, force = null, extra = null] = each(
        ['build_preset', 'force_rebuild', 'extra_kaniko_args'],
        one,
      );
      const image = new Struct('ImageCtx', {
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
      return [id, image] as const;
    }),
  );
}
