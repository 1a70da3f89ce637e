import { DelosError } from '@delos/core';
import { z } from 'zod';
import type { RegistrySettings } from './settings.ts';
import { signToken } from './token.ts';

/** Names that a page has at most, and where the client does not say how many. */
export const PAGE = { most: 1_000, usual: 100 } as const;
/** Names that the registry is asked for at once. */
const READ = 200;
const TIMEOUT_MS = 20_000;

export interface CatalogPage {
  readonly names: readonly string[];
  /** There are more after the last of them. */
  readonly more: boolean;
}

/** Gives so many names after this one, in the registry's order. */
export type ReadNames = (after: string, count: number) => Promise<readonly string[]>;

/** The registry sorts component by component, as if a slash were the least of all characters. */
const key = (project: string): string => project.replaceAll('/', '\0');
/** What a repository is of: the first two components of its name. */
const projectOf = (name: string): string => name.split('/', 2).join('/');
/** No name begins so, and each name sorts behind it. */
const BEFORE_ALL = '-';

/**
 * One page of the repositories of some projects, in the registry's order. It is asked once for each project and once for each
 * `READ` names of them, at most: what lies between is passed over.
 * @param projects `ORG/PROJECT`
 */
export async function catalogPage(
  projects: readonly string[],
  asked: { readonly after: string; readonly count: number },
  read: ReadNames,
): Promise<CatalogPage> {
  const found: string[] = [];
  // No project before this one has more names.
  let from = projectOf(asked.after);
  for (const project of projects.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))) {
    if (key(project) < key(from)) continue;
    let after = project === projectOf(asked.after) ? asked.after : `${project}/${BEFORE_ALL}`;
    for (let more = true; more; ) {
      // One more than is asked for tells whether there are more.
      const names = await read(after, Math.min(READ, asked.count + 1 - found.length));
      if (names.length === 0) return { names: found, more: false };
      for (const name of names) {
        more = projectOf(name) === project;
        if (!more) {
          from = projectOf(name);
          break;
        }
        found.push(name);
        after = name;
        if (found.length > asked.count) return { names: found.slice(0, asked.count), more: true };
      }
    }
  }
  return { names: found, more: false };
}

const answer = z.object({ repositories: z.array(z.string()).nullable() });

/** Names in the registry, read by a token of ours. @throws DelosError ERR_TIMEOUT where it does not answer */
export function registryNames(settings: RegistrySettings): ReadNames {
  return async (after, count) => {
    const all = [{ type: 'registry', name: 'catalog', actions: ['*'] }];
    const token = await signToken(settings, { name: 'control-api', id: 0 }, all, Math.floor(Date.now() / 1000));
    const query = new URLSearchParams({ n: String(count), ...(after === '' ? {} : { last: after }) });
    let response: Response;
    try {
      response = await fetch(`${settings.url}/v2/_catalog?${query}`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      throw new DelosError('ERR_TIMEOUT', 'the registry of images does not answer', {
        hint: 'try again in a moment; if it stays: delos logs registry',
        cause,
      });
    }
    if (!response.ok) {
      throw new DelosError('ERR_INTERNAL', `the registry answers ${response.status} when it is asked for its list`);
    }
    return answer.parse(await response.json()).repositories ?? [];
  };
}
