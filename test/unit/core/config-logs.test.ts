import { parseConfig } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { expect, test } from 'vitest';

test.each([
  ['jobLimit: 2Gi', 'logs.jobLimit', /above maxJobLimit/],
  ['maxJobLimit: 3Gi', 'logs.maxJobLimit', /above projectLimit/],
  ['projectLimit: 7Gi', 'logs.projectLimit', /above totalLimit/],
  ['totalLimit: 1Gi', 'logs.projectLimit', /above totalLimit/],
])('each limit of logs is within the next: logs: {%s}', (text, field, says) => {
  let refused: unknown;
  try {
    parseConfig(`logs: {${text}}\n`, 'delos.yaml');
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(DelosError);
  const { where, message } = refused as DelosError;
  expect([where?.field, message]).toEqual([field, expect.stringMatching(says)]);
});

test('limits that are within each other are taken', () => {
  const { logs } = parseConfig('logs: {projectLimit: 8Gi, totalLimit: 8Gi}\n', 'delos.yaml');
  expect([logs.projectLimit, logs.totalLimit]).toEqual([2 ** 33, 2 ** 33]);
});
