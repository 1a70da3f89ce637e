import { quotePath } from '../../python/url.ts';
import { type Path, Path as PathValue, PythonError, Struct, Url, type Value, valueError } from '../../python/value.ts';

/** On which platform, and as whom, a flow is meant to run: what relative addresses are relative to. */
export interface Place {
  readonly cluster: string;
  /** Null: no organization. */
  readonly org: string | null;
  readonly project: string;
  readonly user: string;
}

const CLUSTER_SCHEMES = ['storage', 'image', 'job', 'secret', 'disk', 'blob', 'flow'];

interface Parts {
  readonly scheme: string;
  /** Undefined where the address has no `//`. */
  readonly host: string | undefined;
  /** Decoded. */
  readonly path: string;
  readonly query: string;
  readonly fragment: string;
  readonly hasUser: boolean;
  readonly hasPort: boolean;
}

/** An address as the platform's clients quote it. */
export function urlOf(text: string): Url {
  const { scheme, host, path, query, fragment } = split(text);
  const authority = host === undefined ? '' : `//${host}`;
  const tail = `${query === '' ? '' : `?${quotePath(query, true)}`}${fragment === '' ? '' : `#${quotePath(fragment, true)}`}`;
  const dots = host === undefined ? path : withoutDots(path);
  return new Url(`${scheme === '' ? '' : `${scheme}:`}${authority}${quotePath(dots)}${tail}`);
}

/**
 * An address made whole for a project and shortened again where it lies in the place's own.
 * @throws PythonError where it is none
 */
export function platformUri(text: string, place: Place, project: string, options: { readonly short: boolean }): Url {
  const whole = wholeUri(text, place, project, []);
  return new Url(options.short ? shortText(whole, place) : textOf(whole));
}

interface Whole {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
}

function wholeUri(text: string, place: Place, project: string, schemes: readonly string[]): Whole {
  const parts = split(text);
  const { scheme } = parts;
  if (scheme === '') {
    throw valueError(`\`${text}\` has no scheme: expected an address such as storage:folder`);
  }
  if (schemes.length > 0 && !schemes.includes(scheme)) {
    throw valueError(
      `\`${scheme}:\` is not accepted here: expected ${schemes.map((name) => `\`${name}:\``).join(' or ')}`,
    );
  }
  if (text.includes('#') || text.includes('?')) {
    throw valueError('an address of the platform has no `?` and `#`; quote them as %3F and %23');
  }
  if (parts.hasUser) throw valueError(`a ${scheme}: address names no user`);
  if (parts.hasPort) throw valueError(`a ${scheme}: address names no port`);
  const host = parts.host ?? '';
  if (scheme === 'file') return { scheme, host: '', path: filePath(parts) };
  if ((host || parts.path.replace(/^\/+/, '')).startsWith('~')) throw valueError('`~` is not known in addresses');
  if (host !== '') return { scheme, host, path: withoutDots(parts.path) };
  if (!CLUSTER_SCHEMES.includes(scheme)) {
    throw valueError(
      `\`${scheme}:\` is not known: expected one of ${CLUSTER_SCHEMES.map((name) => `${name}:`).join(' ')}`,
    );
  }
  const below = parts.path.startsWith('/')
    ? parts.path.replace(/^\/+/, '')
    : parts.path === ''
      ? project
      : `${project}/${parts.path}`;
  return { scheme, host: place.cluster, path: withoutDots(`/${place.org === null ? '' : `${place.org}/`}${below}`) };
}

function filePath({ host, path }: Parts): string {
  if (host !== undefined && host !== '') throw valueError('a file: address names no host');
  if (path.startsWith('~')) throw valueError('`~` is not known in addresses');
  return path;
}

function textOf({ scheme, host, path }: Whole): string {
  if (scheme === 'file') return `file://${quotePath(path)}`;
  return `${scheme}://${host}${quotePath(path)}`;
}

function shortText(uri: Whole, place: Place): string {
  const own = place.org === null ? ['', place.project] : ['', place.org, place.project];
  const parts = uri.path.split('/');
  const isOwn =
    uri.scheme !== 'file' && uri.host === place.cluster && own.every((part, index) => parts[index] === part);
  if (!isOwn) return textOf({ ...uri, path: trimmed(uri.path) });
  const rest = trimmed(parts.slice(own.length).join('/'));
  return `${uri.scheme}:${quotePath(rest)}`;
}

function trimmed(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/' && path.slice(0, end) !== '/') end -= 1;
  return path.slice(0, end);
}

function split(given: string): Parts {
  const text = given.replace(/^[\0-\x20]+/, '').replace(/[\t\n\r]/g, '');
  const found = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(text);
  const scheme = found?.[1]?.toLowerCase() ?? '';
  const rest = text.slice(found?.[0].length ?? 0);
  const [beforeFragment = '', fragment = ''] = cut(rest, '#');
  const [beforeQuery = '', query = ''] = cut(beforeFragment, '?');
  if (!beforeQuery.startsWith('//')) {
    return { scheme, host: undefined, path: decode(beforeQuery), query, fragment, hasUser: false, hasPort: false };
  }
  const end = beforeQuery.indexOf('/', 2);
  const authority = beforeQuery.slice(2, end === -1 ? undefined : end);
  const path = end === -1 ? '' : beforeQuery.slice(end);
  const bare = authority.slice(authority.lastIndexOf('@') + 1);
  const [host = '', port] = bare.startsWith('[') ? [bare] : cut(bare, ':');
  if (port !== undefined && port !== '' && !/^[0-9]+$/.test(port))
    throw valueError(`the port of \`${given}\` is not a number`);
  return {
    scheme,
    host: host.toLowerCase(),
    path: decode(path),
    query,
    fragment,
    hasUser: authority.includes('@'),
    hasPort: port !== undefined && port !== '',
  };
}

function cut(text: string, mark: string): readonly [string, string?] {
  const at = text.indexOf(mark);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  return text.replace(/(%[0-9a-fA-F]{2})+/g, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}

/** RFC 3986, section 5.2.4. */
function withoutDots(path: string): string {
  if (!path.includes('.')) return path;
  const parts: string[] = [];
  const segments = path.split('/');
  for (const segment of segments) {
    if (segment === '..') {
      if (parts.length > 1) parts.pop();
    } else if (segment !== '.') parts.push(segment);
  }
  const last = segments.at(-1);
  if (last === '.' || last === '..') parts.push('');
  return parts.join('/');
}

/** The volume of a reference `storage:path:/mount[:ro|rw]`. @throws PythonError */
export function volumeOfReference(text: string, place: Place): Value {
  const parts = text.split(':');
  let readOnly = false;
  if (parts.length === 4) {
    const mode = parts.pop();
    if (mode !== 'ro' && mode !== 'rw') throw valueError(`\`${text}\` ends in \`${mode}\`: expected ro or rw`);
    readOnly = mode === 'ro';
  } else if (parts.length !== 3) {
    throw new PythonError('ValueError', `\`${text}\` is not a volume: expected storage:path:/mount[:ro|rw]`);
  }
  const mount = parts.pop() ?? '';
  const remote = new Url(textOf(wholeUri(parts.join(':'), place, place.project, ['storage'])));
  return volume({
    id: '<volume>',
    remote,
    mount: new PathValue(mount, false),
    readOnly,
    local: null,
    fullLocalPath: null,
  });
}

export interface VolumeFacts {
  readonly id: string;
  readonly remote: Url;
  readonly mount: Path;
  readonly readOnly: boolean;
  readonly local: Path | null;
  readonly fullLocalPath: Path | null;
}

/** One entry of the `volumes` context. */
export function volume({ id, remote, mount, readOnly, local, fullLocalPath }: VolumeFacts): Struct {
  const reference = (mode: string) => () => `${remote.text}:${mount.text}:${mode}`;
  return new Struct(
    'VolumeCtx',
    { id, remote, mount, read_only: readOnly, local, full_local_path: fullLocalPath },
    { ref_ro: reference('ro'), ref_rw: reference('rw'), ref: reference(readOnly ? 'ro' : 'rw') },
  );
}
