import { isDelosError } from '@delos/core';
import { expect, test } from 'vitest';
import { parseJobRequest } from '../../../../runtime/service/src/api/resources/jobs/request.ts';

const image = (name: string): unknown => parseJobRequest({ preset_name: 'p', image: name }, true).container.image;

test.each([
  'ubuntu',
  'ubuntu:24.04',
  'library/ubuntu',
  'ghcr.io/neuro-inc/base:v1.2',
  'localhost:5000/a/b_c/d-e.f:Tag_1.2-3',
  '127.0.0.1:8080/acme/one/name:tag',
  'a__b',
  `ubuntu@sha256:${'a'.repeat(64)}`,
  `ghcr.io/a/b:1@sha256:${'0'.repeat(64)}`,
])('%s is an image name', (name) => {
  expect(image(name)).toBe(name);
});

test.each([
  '',
  'Ubuntu',
  'a b',
  '-a',
  'a/',
  '/a',
  'a:',
  'a:.b',
  'http://a/b',
  'a@sha256:xyz',
  'a\nb',
  'ü',
  'a:1:2',
  `a:${'x'.repeat(129)}`,
  'x'.repeat(600),
])('%j is none', (name) => {
  expect(() => image(name)).toThrow(expect.toSatisfy((error) => isDelosError(error, 'ERR_REQUEST')));
});

test('null is as good as nothing', () => {
  const nulls = Object.fromEntries(
    [
      'name',
      'tags',
      'description',
      'entrypoint',
      'command',
      'http',
      'env',
      'tty',
      'volumes',
      'priority',
      'resources',
    ].map((key) => [key, null]),
  );
  expect(() => parseJobRequest({ preset_name: 'p', image: 'a', ...nulls }, true)).not.toThrow();
});

test('the form is told by the query key, and without it by the container', () => {
  const nested = { container: { image: 'a', resources: { cpu: 1, memory_mb: 64 } } };
  expect(parseJobRequest(nested, false).container.image).toBe('a');
  expect(parseJobRequest({ preset_name: 'p', image: 'b' }, false).container.image).toBe('b');
});
