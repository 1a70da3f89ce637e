import { objectOf } from '@delos/constructs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { EVERY_SERVICE, platformOf } from './synthesized.ts';

/** Routes of the gateway in the order in which it tries them. */
interface Tried {
  readonly name: string;
  readonly paths: readonly string[];
  /** It takes each request of these paths, whatever else it is. */
  readonly any: boolean;
}

const { Caddyfile } = z
  .object({ Caddyfile: z.string() })
  .parse(objectOf(platformOf(EVERY_SERVICE), 'ConfigMap', 'gateway').manifest.data);
const tried: readonly Tried[] = [...Caddyfile.matchAll(/^\t@(\S+) \{\n((?:\t\t.*\n)+)\t\}\n\thandle @\1 \{/gm)].map(
  ([, name = '', body = '']) => ({
    name,
    paths: (/^\t\tpath (.+)$/m.exec(body)?.[1] ?? '').split(' '),
    any: !/^\t\t(method|header|header_regexp|path_regexp) /m.test(body),
  }),
);

/** Whether all that the one path takes, the other takes as well. */
const covers = (one: string, other: string): boolean =>
  one === other || (one.endsWith('*') && other.startsWith(one.slice(0, -1)));

test('no route stands behind one that takes all of its requests', () => {
  expect(tried.length).toBeGreaterThan(10);
  const hidden = tried.flatMap((later, nth) =>
    tried
      .slice(0, nth)
      .filter(({ any, paths }) => any && later.paths.every((path) => paths.some((pattern) => covers(pattern, path))))
      .map((earlier) => `${later.name} behind ${earlier.name}`),
  );
  // It answers in place of the registry where that is left out.
  expect(hidden).toEqual(['control-api-4 behind registry']);
});
