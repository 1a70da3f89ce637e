import type { Action, OrgRole, Quota } from '@delos/core';
import type { ColumnType, Generated } from 'kysely';

export interface OrgMemberTable {
  readonly org: string;
  readonly user_name: string;
  readonly role: OrgRole;
  readonly declared: Generated<boolean>;
}

export interface PersonQuotaTable {
  readonly org: string;
  readonly user_name: string;
  /** Written as text, as every jsonb. */
  readonly quota: ColumnType<Pick<Quota, 'runningJobs'>, string, string>;
  readonly declared: Generated<boolean>;
}

export interface GrantTable {
  readonly user_id: number;
  readonly uri: string;
  readonly action: Action;
  readonly given_by: string;
  readonly given_at: Generated<Date>;
}

export interface ServiceAccountTable {
  readonly id: string;
  readonly user_id: number;
  readonly owner_id: number;
  readonly name: string | null;
  readonly default_cluster: string;
  readonly default_org: string | null;
  readonly default_project: string;
  readonly digest: string;
  readonly made_at: Generated<Date>;
  readonly expires_at: Date;
}
