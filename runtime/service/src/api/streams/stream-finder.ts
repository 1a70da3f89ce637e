import type { Resource } from '../resource.ts';
import type { Stream } from '../stream.ts';

export interface FoundStream {
  readonly stream: Stream;
  /** The parts of the path that have a name, as they were sent: percent-encoded. */
  readonly parts: Readonly<Record<string, string>>;
}

/** Finds the stream that a path names; a slash at its end changes nothing. */
export function streamFinder(
  resources: readonly Pick<Resource, 'prefix' | 'streams'>[],
): (path: string) => FoundStream | undefined {
  const known = resources.flatMap(({ prefix, streams = [] }) =>
    streams.map((stream) => ({ stream, pattern: patternOf(prefix + stream.path) })),
  );
  return (path) => {
    for (const { stream, pattern } of known) {
      const groups = pattern.exec(path)?.groups;
      if (groups === undefined) continue;
      const parts = Object.entries(groups).filter((entry): entry is [string, string] => entry[1] !== undefined);
      return { stream, parts: Object.fromEntries(parts) };
    }
    return undefined;
  };
}

function patternOf(path: string): RegExp {
  const parts = path.split('/').slice(1);
  const texts = parts.map((part) => {
    const [, name, optional = ''] = /^:([a-z]+)(\?)?$/.exec(part) ?? [];
    return name === undefined ? `/${part}` : `(?:/(?<${name}>[^/]+))${optional}`;
  });
  // A named group of nothing, so that a path without names has groups as well.
  return new RegExp(`^(?<path>)${texts.join('')}/?$`);
}
