import type { SharedKind } from '@delos/core';
import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import { grantedRows, grantsOfKind } from '../authorization/grants.ts';
import type { Caller } from '../deps.ts';

/** What rows are, where they may be shared one by one. */
export interface SharedRows {
  readonly kind: SharedKind;
  /** Columns that name a row below its project. */
  readonly names: readonly string[];
  /** Of rows that have no column for it. */
  readonly cluster?: string;
}

/**
 * Narrows a query of rows that have `org` and `project` to what a caller who is not the administrator may read.
 * @param shared @default single rows cannot be shared
 */
export function ofProjects(
  caller: Caller,
  shared?: SharedRows,
): <Tables, Table extends keyof Tables>(eb: ExpressionBuilder<Tables, Table>) => Expression<SqlBool> {
  const projects = [...caller.roles.keys()];
  const granted = shared === undefined ? [] : grantsOfKind(caller, shared.kind);
  return (eb) => {
    const own =
      projects.length === 0 ? sql<SqlBool>`false` : sql<SqlBool>`org || '/' || project = any (${projects}::text[])`;
    if (shared === undefined || granted.length === 0) return own;
    return eb.or([own, grantedRows(granted, shared.kind, shared.names, shared.cluster)]);
  };
}
