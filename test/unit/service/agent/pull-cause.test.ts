import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explainPull } from '../../../../runtime/service/src/agent/jobs/image-pull.ts';
import { pullCause } from '../../../../runtime/service/src/agent/pull-cause.ts';
import { namedImage, PULL_ERRORS } from '../../../support/agent/pull-errors.ts';

const PLAIN = namedImage('docker.io', 'team/app', 'v1');

describe('the error of a pull is told for', () => {
  test.each(PULL_ERRORS)('%s', (_, cause, error) => {
    expect(pullCause(PLAIN.given, 'ErrImagePull', error(PLAIN))).toBe(cause);
  });
});

/** What errors are told by, put where a user can put it. */
const WORDS = [
  '401',
  '403',
  '404',
  '429',
  '500',
  '503',
  'denied',
  'unauthorized',
  'forbidden',
  'toomanyrequests',
  'not-found',
  'manifest',
  'unknown',
  'eof',
  'timeout',
  'no-such-host',
  'x509',
  'insufficient_scope',
  'authorization',
  'device',
  'dial',
  'tcp',
  'status',
];
const word = fc.constantFrom(...WORDS);
const anyImage = fc
  .tuple(
    fc.constantFrom('docker.io', 'ghcr.io', 'denied.example', '403.example:4430'),
    fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    fc.oneof(word, fc.constantFrom('403', 'EOF', 'Not_Found', '429-Too-Many-Requests', 'x509', 'denied.unauthorized')),
  )
  .map(([host, path, tag]) => namedImage(host, path, tag));

test('an error means the same whatever the image is called', () => {
  fc.assert(
    fc.property(anyImage, fc.constantFrom(...PULL_ERRORS), (image, [, cause, error]) => {
      const message = error(image);
      expect(pullCause(image.given, 'ErrImagePull', message), message).toBe(cause);
      expect(
        pullCause(image.given, 'ImagePullBackOff', `Back-off pulling image "${image.given}": ErrImagePull: ${message}`),
      ).toBe(cause);
    }),
    { numRuns: 3_000 },
  );
});

test('words for users hold nothing of an error: an open port is told as a closed one is', () => {
  for (const [, cause, error] of PULL_ERRORS) {
    const { description } = explainPull(PLAIN.given, 'ErrImagePull', error(PLAIN));
    expect(description).toBe(
      explainPull(PLAIN.given, 'ErrImagePull', PULL_ERRORS.find((other) => other[1] === cause)?.[2](PLAIN) ?? '')
        .description,
    );
    expect(description).not.toMatch(/93\.184|10\.20|127\.0|refused|EOF|TLS|timeout|x509|route/);
  }
});

test('an error that is not known is no end, and none of its words are passed on', () => {
  fc.assert(
    fc.property(fc.string(), (message) => {
      fc.pre(pullCause('team/app:v1', 'ErrImagePull', message) === 'unknown');
      const { final, description } = explainPull('team/app:v1', 'ErrImagePull', message);
      expect(final).toBe(false);
      expect(description).toBe(explainPull('team/app:v1', 'ErrImagePull', '').description);
    }),
  );
});

test('what passes is no end: only a wrong name, a missing or refused image and other processors are', () => {
  const ends = PULL_ERRORS.filter(([, , error]) => explainPull(PLAIN.given, 'ErrImagePull', error(PLAIN)).final);
  expect(new Set(ends.map(([, cause]) => cause))).toEqual(new Set(['not-found', 'private', 'platform']));
  expect(explainPull('x', 'InvalidImageName', '')).toMatchObject({ final: true });
});
