import type { Block } from '../file/block.ts';
import type { Dict } from '../python/value.ts';
import type { UnitFields } from './fields.ts';
import type { Known } from './outcome.ts';

/** One node of an expanded flow. Ids are whole: those of calls stand before a point. */
export interface ExpandedTask {
  readonly id: string;
  /** `action` and `module` stand for the tasks whose ids begin with theirs. */
  readonly kind: 'task' | 'stateful' | 'post' | 'local' | 'action' | 'module' | 'job';
  readonly needs: Readonly<Record<string, 'completed' | 'running'>>;
  readonly enable: Known;
  /** Values of the action's inputs, where this is a call. */
  readonly inputs?: ReadonlyMap<string, Known>;
  /** Values of the row of the matrix. */
  readonly matrix: Dict;
  readonly fields: Partial<UnitFields & LiveFields>;
  readonly cacheKey: string | null;
  readonly cacheKeyReason: string | null;
  readonly source: Block;
}

/** Fields that only jobs of live flows have. */
export interface LiveFields {
  readonly detach: Known;
  readonly browse: Known;
  readonly port_forward: readonly Known[];
}
