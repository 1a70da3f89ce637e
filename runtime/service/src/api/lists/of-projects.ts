import { type Expression, type ExpressionBuilder, type SqlBool, sql } from 'kysely';
import type { Caller } from '../deps.ts';

/** Narrows a query of rows that have `org` and `project` to the projects of a caller who is not the administrator. */
export function ofProjects(
  caller: Caller,
): <Tables, Table extends keyof Tables>(eb: ExpressionBuilder<Tables, Table>) => Expression<SqlBool> {
  const projects = [...caller.roles.keys()];
  return (eb) => (projects.length === 0 ? sql<SqlBool>`false` : eb(sql<string>`org || '/' || project`, 'in', projects));
}
