import type { OrgRole } from '@delos/core';
import type { Generated } from 'kysely';

export interface OrgMemberTable {
  readonly org: string;
  readonly user_name: string;
  readonly role: OrgRole;
  readonly declared: Generated<boolean>;
}
