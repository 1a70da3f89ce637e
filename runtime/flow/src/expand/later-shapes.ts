import type { LaterShape } from '../expr/later-shape.ts';

/* Fields of the contexts' objects, which are known before their values are. */

export const GIT_FIELDS = ['sha', 'branch', 'tags'] as const;
export const STRATEGY_FIELDS = ['fail_fast', 'max_parallel'] as const;
export const VOLUME_FIELDS = [
  'id',
  'remote',
  'mount',
  'read_only',
  'local',
  'full_local_path',
  'ref',
  'ref_ro',
  'ref_rw',
] as const;
export const IMAGE_FIELDS = [
  'id',
  'ref',
  'context',
  'dockerfile',
  'dockerfile_rel',
  'build_args',
  'env',
  'volumes',
  'build_preset',
  'force_rebuild',
  'extra_kaniko_args',
] as const;

const ONE: LaterShape = { is: 'one' };
const ONES: LaterShape = { is: 'mapping', of: ONE };
const object = (fields: readonly string[], parts: Readonly<Record<string, LaterShape>> = {}): LaterShape => ({
  is: 'object',
  fields: { ...Object.fromEntries(fields.map((field) => [field, undefined])), ...parts },
});
export const VOLUME_LATER = object(VOLUME_FIELDS);
export const IMAGE_LATER = object(IMAGE_FIELDS);

/** Contexts that may be waited for. */
export const LATER_SHAPES: Readonly<Record<string, LaterShape>> = {
  needs: { is: 'mapping', of: object([], { result: ONE, outputs: ONES }) },
  state: ONES,
  params: ONES,
  env: ONES,
  inputs: ONES,
  matrix: ONES,
  multi: object([], { suffix: ONE }),
  git: object(GIT_FIELDS, { sha: ONE, branch: ONE }),
  strategy: object(STRATEGY_FIELDS, { fail_fast: ONE, max_parallel: ONE }),
  volumes: { is: 'mapping', of: VOLUME_LATER },
  images: { is: 'mapping', of: IMAGE_LATER },
};
