import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { flowRequests, submission } from '../../support/bakes/flow-requests.ts';
import { type ProcessAgent, processAgent } from '../../support/bakes/process-agent.ts';
import { type ServiceProcesses, startServices } from '../../support/edge/service-processes.ts';
import { generatedParts } from '../../support/monitoring/generated-parts.ts';
import { type Monitoring, startMonitoring } from '../../support/monitoring/monitoring.ts';
import { TEST_CONFIG } from '../../support/service/control-api.ts';
import { until } from '../../support/until.ts';

/*
 * What a person is told of bakes: the control API as a process tells Prometheus, which judges by the platform's rules; Alertmanager
 * sends it to a webhook. Jobs are processes of this machine.
 */

const alert = z.object({
  status: z.enum(['firing', 'resolved']),
  labels: z.looseObject({ alertname: z.string() }),
  annotations: z.object({ summary: z.string(), runbook: z.string() }),
});
type Alert = z.infer<typeof alert>;

const told: Alert[] = [];
const authorized = new Set<string | undefined>();
let receiver: Server;
let services: ServiceProcesses;
let agent: ProcessAgent;
let monitoring: Monitoring;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    authorized.add(request.headers.authorization);
    void buffer(request)
      .then((body) => told.push(...z.object({ alerts: z.array(alert) }).parse(JSON.parse(body.toString())).alerts))
      .then(() => response.end());
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  services = await startServices(['api'], TEST_CONFIG, { DELOS_ALLOWED_REGISTRIES: 'ghcr.io' });
  agent = await processAgent(services.database, new PostgresLogStore(services.database, TEST_CONFIG.logs));
  const parts = generatedParts(`
notifications:
  webhooks: [{name: team, url: 'http://127.0.0.1:${port}/', token: {secret: {name: team, key: token}}}]
`);
  monitoring = await startMonitoring(parts, { 'control-api': services.internal.api }, { 'team/token': 'the-token' });
});
afterAll(async () => {
  await monitoring?.stop();
  await agent?.stop();
  await services?.stop();
  receiver?.close();
});

const bake = async (bash: string, notify: readonly string[], flow: string): Promise<string> => {
  const file = `kind: batch\ntasks: [{ id: a, image: "ghcr.io/neuro-inc/base", preset: cpu-small, bash: "${bash}" }]\n`;
  const made = await flowRequests(services)('POST', 'bakes/submit', submission(file, { notify, flow }));
  expect(made.status, JSON.stringify(made.json)).toBe(201);
  return made.json.id;
};
const seen = (what: string, is: (each: Alert) => boolean): Promise<Alert> =>
  until(what, 90, (last) => {
    last(told.map(({ status, labels }) => [status, labels]));
    return told.find(is);
  });
const place = { org: 'acme', project: 'one', batch: 'rows' };

test('a webhook is told of a bake’s failure with its runbook, of its end, and of the recovery by a later bake', async () => {
  const failed = await bake('exit 3', ['failure', 'end'], 'mine');
  const failure = await seen(
    'the failure',
    ({ status, labels }) => status === 'firing' && labels.alertname === 'BakeFailed',
  );
  expect(failure.labels).toMatchObject({ ...place, flow: 'mine' });
  expect(failure.annotations.summary).toBe('The last bake of rows of flow mine in acme/one failed');
  expect(failure.annotations.runbook).toMatch(/BakeFailed/);
  const end = await seen('its end', ({ labels }) => labels.alertname === 'BakeEnded' && labels.bake === failed);
  expect(end.labels).toMatchObject({ ...place, flow: 'mine', result: 'failed' });
  const mended = await bake('true', ['failure', 'end'], 'mine');
  const recovery = await seen(
    'the recovery',
    ({ status, labels }) => status === 'resolved' && labels.alertname === 'BakeFailed',
  );
  expect(recovery.labels).toMatchObject({ ...place, flow: 'mine' });
  const again = await seen('the end of the other', ({ labels }) => labels.bake === mended);
  expect(again.labels.result).toBe('succeeded');
  expect([...authorized]).toEqual(['Bearer the-token']);
});

test('of a bake nobody is told where nobody asked for it', async () => {
  await bake('exit 3', [], 'quiet');
  const loud = await bake('exit 3', ['end'], 'loud');
  await seen('the end of the other', ({ labels }) => labels.bake === loud);
  // It began before, and ended before.
  expect(told.filter(({ labels }) => labels.flow === 'quiet')).toEqual([]);
  expect(told.filter(({ labels }) => labels.flow === 'loud' && labels.alertname === 'BakeFailed')).toEqual([]);
});
