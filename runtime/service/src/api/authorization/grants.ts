import { ACTIONS, type Action, DelosError, type SharedKind } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { Grant } from '../../db/tenancy/held.ts';

/*
 * Grants beside roles. One is for a thing and all below it: `job://CLUSTER/ORG/PROJECT` for every job of the project.
 */

/** Whoever has grants. */
interface Granted {
  readonly grants?: readonly Grant[];
}

/** The URI of something in a project; without names, the project's own. */
export const uriOf = (
  kind: SharedKind,
  cluster: string,
  { org, project }: { readonly org: string; readonly project: string },
  ...names: readonly string[]
): string => `${kind}://${[cluster, org, project, ...names].join('/')}`;

/** URIs by which something is known: by its id, and by its name where it has one. */
export const urisOf = (
  kind: SharedKind,
  cluster: string,
  row: { readonly org: string; readonly project: string; readonly id: string; readonly name: string | null },
): readonly string[] =>
  [row.id, ...(row.name === null ? [] : [row.name])].map((name) => uriOf(kind, cluster, row, name));

const covers = (grant: string, uri: string): boolean => uri === grant || uri.startsWith(`${grant}/`);

/** The mightiest that grants give for one of these URIs. */
export function grantedAction({ grants = [] }: Granted, uris: readonly string[]): Action | undefined {
  const found = grants.filter((grant) => uris.some((uri) => covers(grant.uri, uri)));
  return ACTIONS.findLast((action) => found.some((grant) => grant.action === action));
}

/** Whether grants give a right to one of these URIs. */
export function isGranted(caller: Granted, uris: readonly string[], right: Action): boolean {
  if (caller.grants === undefined || caller.grants.length === 0) return false;
  const action = grantedAction(caller, uris);
  return action !== undefined && ACTIONS.indexOf(action) >= ACTIONS.indexOf(right);
}

/** Grants of one kind. */
export const grantsOfKind = ({ grants = [] }: Granted, kind: SharedKind): readonly string[] =>
  grants.filter(({ uri }) => uri.startsWith(`${kind}://`)).map(({ uri }) => uri);

/**
 * The condition that a row is one of those that grants are for.
 * @param columns whose texts name a row below its project
 * @param cluster of rows that have no column for it
 */
export function grantedRows(uris: readonly string[], kind: SharedKind, columns: readonly string[], cluster?: string) {
  const of = cluster === undefined ? sql`cluster` : sql`${cluster}::text`;
  const names = sql.join(
    columns.map(
      (column) => sql`${`${kind}://`} || ${of} || '/' || org || '/' || project || '/' || ${sql.ref(column)} || '/'`,
    ),
  );
  return sql<SqlBool>`exists (select from unnest(${[...uris]}::text[]) granted, unnest(array[${names}]) own
    where starts_with(own, granted || '/'))`;
}

/**
 * A URI as grants are kept, without a slash at its end.
 * @throws DelosError ERR_REQUEST for what names nothing that can be shared
 */
export function sharedUri(text: string, kinds: readonly SharedKind[], clusters: readonly string[]): string {
  const [, kind, rest = ''] = /^([a-z]+):\/\/([^?#]+)$/.exec(text) ?? [];
  if (kind === 'flow' || kind === 'role') {
    throw new DelosError('ERR_NOT_IMPLEMENTED', `sharing by ${kind}: is not part of this release of Delos`, {
      hint: 'add the user to the project: apolo admin add-project-user',
    });
  }
  if (!kinds.some((each) => each === kind)) {
    throw new DelosError('ERR_REQUEST', `${JSON.stringify(text)} is nothing that can be shared`, {
      hint: `expected one of ${kinds.map((each) => `${each}:`).join(', ')}`,
    });
  }
  const parts = rest.split('/').filter((part) => part !== '');
  const [cluster, org] = parts;
  if (cluster === undefined || org === undefined || !clusters.includes(cluster) || parts.includes('..')) {
    throw new DelosError('ERR_REQUEST', `expected ${kind}://CLUSTER/ORG/PROJECT/NAME, or less of its end`, {
      where: { field: 'uri' },
    });
  }
  if (kind === 'storage' && parts.length > 3) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'sharing single folders is not part of this release of Delos', {
      hint: 'the whole storage of a project is storage://CLUSTER/ORG/PROJECT',
    });
  }
  return `${kind}://${parts.join('/')}`;
}

/** Where a URI is: of which organization, and of which project if it says one. */
export function placeOf(uri: string): {
  readonly kind: string;
  readonly org: string;
  readonly project?: string;
  readonly name?: string;
} {
  const [kind = '', rest = ''] = uri.split('://');
  const [, org = '', project, ...names] = rest.split('/');
  return {
    kind,
    org,
    ...(project === undefined ? {} : { project }),
    ...(names.length === 0 ? {} : { name: names.join('/') }),
  };
}
