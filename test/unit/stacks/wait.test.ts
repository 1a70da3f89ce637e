import { createServer, type RequestListener } from 'node:http';
import { connect } from '@delos/stacks';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sharedList } from '../../../stacks/src/await/shared-lists.ts';
import { untilGone, untilReady } from '../../../stacks/src/await/wait.ts';

/** A client of an API server of the test. */
async function clientOf(answer: RequestListener) {
  const server = createServer(answer);
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

const takesAndAnswersNothing: RequestListener = () => undefined;

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
      client: await clientOf(takesAndAnswersNothing),
      limitSeconds: 0.3,
      signal: new AbortController().signal,
      report: () => undefined,
    });
    expect(problem).toContain(said);
    expect(problem).toContain('the API server does not answer: The operation was aborted due to timeout');
  });
});

describe('lists that waits side by side ask for', () => {
  const slices = { apiVersion: 'discovery.k8s.io/v1', plural: 'endpointslices', namespace: 'n' };
  /** Numbers its answers; each takes a moment. */
  const counting = async () => {
    const counted = { asked: 0 };
    const client = await clientOf((_, response) => {
      counted.asked += 1;
      const items = [{ metadata: { name: `answer-${counted.asked}` } }];
      setTimeout(() => response.setHeader('content-type', 'application/json').end(JSON.stringify({ items })), 20);
    });
    return { client, counted };
  };

  test('one question serves them all', async () => {
    const { client, counted } = await counting();
    const since = performance.now();
    const lists = await Promise.all(Array.from({ length: 50 }, () => sharedList(client, slices, since)));
    expect(new Set(lists.flat().map((item) => JSON.stringify(item))).size).toBe(1);
    expect(counted.asked).toBe(1);
  });

  test('no answer is older than the wait that it is given to, nor another kind’s or namespace’s', async () => {
    const { client, counted } = await counting();
    await sharedList(client, slices, performance.now());
    const [later] = await sharedList(client, slices, performance.now());
    expect(later).toMatchObject({ metadata: { name: 'answer-2' } });
    await sharedList(client, { ...slices, namespace: 'other' }, 0);
    await sharedList(client, { ...slices, plural: 'pods' }, 0);
    expect(counted.asked).toBe(4);
  });

  test('a wait that is interrupted leaves the answer to the others', async () => {
    const { client, counted } = await counting();
    const since = performance.now();
    const stopped = new AbortController();
    const mine = sharedList(client, slices, since, stopped.signal);
    const theirs = sharedList(client, slices, since, new AbortController().signal);
    stopped.abort(new Error('Ctrl-C'));
    await expect(mine).rejects.toThrow('Ctrl-C');
    expect(await theirs).toMatchObject([{ metadata: { name: 'answer-1' } }]);
    expect(counted.asked).toBe(1);
  });
});
