import type { NodePool, Preset, Scheduling } from '@delos/core';
import type { ColumnType, Generated } from 'kysely';

/** jsonb: an array must be written as text, or pg takes it for a PostgreSQL array. */
type Json<T> = ColumnType<T, string, string>;

type JsonDefaulted<T> = ColumnType<T, string | undefined, string>;

/** Who dials the control API from a cluster. Each kind has a secret of its own, which opens its own endpoints alone. */
export type Dialler = 'agent' | 'collector';

export interface ClusterTable {
  readonly name: string;
  readonly pools: Json<readonly NodePool[]>;
  readonly presets: Json<readonly Preset[]>;
  /** Those of `presets` that administrators made while the platform ran. */
  readonly made_presets: JsonDefaulted<readonly Preset[]>;
  readonly scheduling: ColumnType<Scheduling, string | undefined, string>;
  readonly last_seen_at: Date | null;
  /** Null: it is the platform's own, or has left. */
  readonly joined_at: Date | null;
  /** It takes no new jobs; those that it has are ended. */
  readonly leaving_at: Date | null;
}

export interface JoinTokenTable {
  readonly digest: string;
  readonly cluster: string;
  readonly made_by: string;
  readonly made_at: Generated<Date>;
  readonly expires_at: Date;
  /** Digest of the agent's secret that it was traded for. */
  readonly spent_for: string | null;
}

export interface ClusterCredentialTable {
  readonly digest: string;
  readonly cluster: string;
  readonly dialler: Dialler;
  readonly made_at: Generated<Date>;
}
