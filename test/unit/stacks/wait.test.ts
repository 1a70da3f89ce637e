import { createServer } from 'node:http';
import { connect } from '@delos/stacks';
import { describe, expect, onTestFinished, test } from 'vitest';
import { untilGone, untilReady } from '../../../stacks/src/await/wait.ts';

/** A client of an API server that takes every question and answers none. */
async function clientOfSilentServer() {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${address.port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'c', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'c' } }],
    'current-context': 'c',
  };
  return connect({ kubeconfig: `${JSON.stringify(kubeconfig)}\n` });
}

describe('a wait ends at its limit though the API server hangs', () => {
  const ref = { apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: 'n' };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'n' } };

  test.each([
    [
      'until it is ready',
      'not ready after',
      async (options: Parameters<typeof untilReady>[2]) => (await untilReady(ref, pod, options)).problem,
    ],
    ['until it is gone', 'not gone after', (options: Parameters<typeof untilReady>[2]) => untilGone(ref, '', options)],
  ] as const)('%s', async (_, said, wait) => {
    const problem = await wait({
      client: await clientOfSilentServer(),
      limitSeconds: 0.3,
      signal: new AbortController().signal,
      report: () => undefined,
    });
    expect(problem).toContain(said);
    expect(problem).toContain('the API server does not answer: The operation was aborted due to timeout');
  });
});
