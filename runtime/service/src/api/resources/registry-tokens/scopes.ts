import { DelosError } from '@delos/core';
import { type Access, CATALOG } from '../registry/index.ts';

/** Scopes that one token may be asked for. */
export const MAX_SCOPES = 20;
const MAX_BYTES = 8_192;
/** What all actions are: `*`. */
const ALL = ['pull', 'push', 'delete'];

/**
 * Reads scopes as a client asks for them, each `TYPE:NAME:ACTION[,ACTION]`, several in one text with blanks between.
 * @see https://distribution.github.io/distribution/spec/auth/scope/
 * @throws DelosError ERR_REQUEST for what is no scope, and for too many
 */
export function parseScopes(texts: readonly string[]): readonly Access[] {
  const words = texts.flatMap((text) => text.split(' ')).filter((word) => word !== '');
  if (words.length > MAX_SCOPES || words.join(' ').length > MAX_BYTES) {
    throw new DelosError('ERR_REQUEST', `expected at most ${MAX_SCOPES} scopes, found ${words.length}`, {
      where: { field: 'scope' },
    });
  }
  return words.map(parseScope);
}

function parseScope(text: string): Access {
  // A name may hold a colon, before the port of a host.
  const [, type, name, actions] = /^([a-z0-9]+)(?:\([a-z0-9]+\))?:([^:].*):([a-z*,]*)$/.exec(text) ?? [];
  if (type === undefined || name === undefined || actions === undefined) {
    throw new DelosError('ERR_REQUEST', `expected TYPE:NAME:ACTION[,ACTION], found ${JSON.stringify(text)}`, {
      where: { field: 'scope' },
    });
  }
  return { type, name, actions: [...new Set(actions.split(',').filter((action) => action !== ''))] };
}

/** The rights that the registry asks for when it gets this request. A test compares them with the registry's own answers. */
export function scopesOfRequest(method: string, uri: string): readonly Access[] {
  const [path = '', search = ''] = splitAt(uri, '?');
  const name = /^\/v2\/(.+)\/(?:manifests|blobs|tags|referrers)\//.exec(path)?.[1];
  const actions = ACTIONS[method];
  if (name === undefined || actions === undefined) return [];
  const from = method === 'POST' ? new URLSearchParams(search).get('from') : null;
  return [
    { type: 'repository', name, actions },
    ...(from === null ? [] : [{ type: 'repository', name: from, actions: ['pull'] }]),
  ];
}

const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  GET: ['pull'],
  HEAD: ['pull'],
  POST: ['pull', 'push'],
  PUT: ['pull', 'push'],
  PATCH: ['pull', 'push'],
  DELETE: ['delete'],
};

function splitAt(text: string, mark: string): readonly string[] {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Whether a scope is of a repository, with all its actions by name. */
export function repositoryScope({ type, name, actions }: Access): Access | undefined {
  if (type !== 'repository') return undefined;
  const named = actions.includes('*') ? ALL : ALL.filter((action) => actions.includes(action));
  return { type, name, actions: named };
}

/** `registry:catalog:*`: what clients ask for to list repositories. */
export const isCatalog = ({ type, name }: Access): boolean => type === 'registry' && name === 'catalog';
export { CATALOG };
