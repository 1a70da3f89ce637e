import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { KubeClient } from '@delos/kube';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { eventShape, type KubeEvent } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { ProjectWatches } from '../../../../runtime/service/src/agent/project-watches.ts';
import { plainClient } from '../../../support/kube/plain-client.ts';
import { until } from '../../../support/until.ts';

/** An API server that has one event in every namespace, and watches that stay open. */
let server: Server;
let watches: string[];
let seen: KubeEvent[];
let client: KubeClient;
let events: ProjectWatches<KubeEvent>;

beforeEach(async () => {
  watches = [];
  seen = [];
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://server');
    const namespace = url.pathname.split('/')[4] ?? '';
    if (url.searchParams.has('watch')) {
      watches.push(namespace);
      request.once('close', () => watches.splice(watches.indexOf(namespace), 1));
      response.writeHead(200).flushHeaders();
      return;
    }
    const metadata = { name: 'e', namespace, uid: `u-${namespace}`, resourceVersion: '1' };
    response.end(
      JSON.stringify({
        metadata: { resourceVersion: '1' },
        items: [{ metadata, reason: 'Pulling', involvedObject: { kind: 'Pod', name: 'job', uid: namespace } }],
      }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  client = plainClient(port);
  events = new ProjectWatches({
    client,
    resource: 'events',
    query: { fieldSelector: 'involvedObject.kind=Pod' },
    read: (object) => eventShape.safeParse(object).data,
    onChange: (event) => seen.push(event),
    log: pino({ level: 'silent' }),
  });
});

afterEach(async () => {
  vi.useRealTimers();
  await events.close();
  client.close();
  server.closeAllConnections();
  server.close();
});

const watched = (expected: readonly string[]): Promise<true> =>
  until(`watches of ${expected.join(', ')}`, 10, async (last) => {
    last(watches);
    return watches.toSorted().join() === expected.join() ? true : undefined;
  });

test('a namespace is followed once, however many Pods it has', async () => {
  for (const namespace of ['a', 'b', 'a', 'a']) events.follow(namespace);
  await watched(['a', 'b']);
  expect(seen.map(({ metadata }) => metadata.namespace).sort()).toEqual(['a', 'b']);
});

test('as many namespaces are followed at once as there are, and other calls still go through', async () => {
  const all = Array.from({ length: 60 }, (_, index) => `n${String(index).padStart(2, '0')}`);
  for (const namespace of all) events.follow(namespace);
  await watched(all);
  expect(await client.get('/api/v1/namespaces/other/events')).toMatchObject({ items: [{}] });
});

test('a namespace without Pods is left after ten minutes, one with Pods is not', async () => {
  events.follow('busy');
  events.follow('idle');
  await watched(['busy', 'idle']);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11 * 60_000 });
  events.retire(new Set(['busy']));
  vi.useRealTimers();
  await watched(['busy']);
});
