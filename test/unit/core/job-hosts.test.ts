import { jobsDomain, jobUrl, namedJobLabel, projectHash, splitJobLabel } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const name = fc.stringMatching(/^[a-z](-?[a-z0-9]){2,19}$/);
const project = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);

describe('the label of a job', () => {
  test('fits, and tells name and project', () => {
    fc.assert(
      fc.property(name, project, project, (job, org, own) => {
        const label = namedJobLabel({ name: job, org, project: own });
        expect(label).toMatch(/^[a-z0-9-]{1,63}$/);
        expect(splitJobLabel(label)).toEqual({ name: job, hash: projectHash(org, own) });
      }),
    );
  });

  test('is another one in another project, however alike the names are', () => {
    const labels = [
      { org: 'a-b', project: 'c' },
      { org: 'a', project: 'b-c' },
      { org: 'a', project: 'a-long-name-one' },
      { org: 'a', project: 'a-long-name-two' },
    ].map((of) => namedJobLabel({ ...of, name: 'web' }));
    expect(new Set(labels).size).toBe(labels.length);
  });

  test.each(['', 'web', 'web--p', 'job-00000000-0000-4000-8000-000000000000', 'web--p-XXXXXXXXXX', 'a--b--0123456789'])(
    'is none that was made up: %s',
    (label) => {
      expect(splitJobLabel(label)?.hash).not.toBe(projectHash('o', 'p'));
    },
  );
});

test.each([
  ['ai.example.com', 'jobs.ai.example.com'],
  ['127.0.0.1', 'jobs.localhost'],
  ['localhost', 'jobs.localhost'],
  ['x.localhost', 'jobs.x.localhost'],
  ['10.0.0.5', undefined],
  ['fd00::5', undefined],
])('jobs of a platform at %s are below %s', (domain, jobs) => {
  expect(jobsDomain(domain)).toBe(jobs);
});

test('an address has scheme and port of the platform', () => {
  expect(jobUrl('http://127.0.0.1:8080', 'jobs.localhost', 'x')).toBe('http://x.jobs.localhost:8080');
  expect(jobUrl('https://ai.example.com', 'jobs.ai.example.com', 'x')).toBe('https://x.jobs.ai.example.com');
});
