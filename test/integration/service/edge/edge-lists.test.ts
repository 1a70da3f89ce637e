import { once } from 'node:events';
import { AGENT_PREFIX, AGENT_PROTOCOL, type ToAgent, toAgent } from '@delos/core';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type ServiceProcesses, startServices } from '../../../support/edge/service-processes.ts';
import { until } from '../../../support/until.ts';

/*
 * Rows as they were stored before texts were bounded: more of them than a service could hold at once.
 */

const JOBS = 60;
const TEXT = 900_000;
/** What the platform gives each of them (constructs/src/services/control-api). */
const MEMORY_LIMIT = 256 * 2 ** 20;

let services: ServiceProcesses;
let url: string;
let authorization: string;

beforeAll(async () => {
  services = await startServices(['api', 'scheduler']);
  url = `http://127.0.0.1:${services.publicPort}/api/v1`;
  authorization = `Bearer ${await services.token('alice')}`;
  const { id } = (await (
    await fetch(`${url}/jobs?from_preset`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', image: 'x' }),
    })
  ).json()) as { readonly id: string };
  await sql`
    insert into jobs (id, cluster, org, project, owner, preset, request, spec, description, phase, status, pool, pools)
    select 'job-00000000-0000-4000-8000-' || lpad(n::text, 12, '0'), cluster, org, project, owner, preset,
      jsonb_set(request, '{env}', jsonb_build_object('A', repeat('x', ${TEXT}))),
      jsonb_set(spec, '{env}', jsonb_build_object('A', repeat('x', ${TEXT}))),
      'old', case when n % 2 = 0 then 'running' else 'gone' end, case when n % 2 = 0 then 'running' else 'failed' end,
      'default', pools
    from jobs, generate_series(1, ${JOBS}) as n where id = ${id}`.execute(services.database.db);
});
afterAll(() => services?.stop());

async function inBounds(): Promise<void> {
  for (const service of ['api', 'scheduler'] as const) {
    expect([service, services.ended(service)]).toEqual([service, undefined]);
    expect(await services.memory(service)).toBeLessThan(MEMORY_LIMIT);
  }
}

test('a list as one document is whole, whatever its rows hold', async () => {
  const answer = await fetch(`${url}/jobs`, { headers: { authorization } });
  const { jobs } = (await answer.json()) as {
    readonly jobs: readonly { readonly container: { readonly env: object } }[];
  };
  expect(jobs.length).toBe(JOBS + 1);
  expect(jobs.filter(({ container }) => 'A' in container.env).length).toBe(JOBS);
  await inBounds();
});

test('lists by line are whole, also several at once', async () => {
  const lists = await Promise.all(
    Array.from({ length: 2 }, async () => {
      const answer = await fetch(`${url}/jobs?reverse=1`, {
        headers: { authorization, accept: 'application/x-ndjson' },
      });
      let lines = 0;
      for await (const chunk of answer.body ?? []) lines += Buffer.from(chunk).filter((byte) => byte === 0x0a).length;
      return lines;
    }),
  );
  expect(lists).toEqual(Array.from({ length: 2 }, () => JOBS + 1));
  await inBounds();
});

test('a reader that stalls holds one page of a list, and no more', async () => {
  const stalled = await Promise.all(
    Array.from({ length: 12 }, () => fetch(`${url}/jobs`, { headers: { authorization } })),
  );
  expect(stalled.map(({ status }) => status)).toEqual(stalled.map(() => 200));
  expect((await fetch(`${url}/ping`)).status).toBe(200);
  await inBounds();
  for (const { body } of stalled) await body?.cancel();
});

test('an agent is told of every job, one at a time, and then which there are', async () => {
  const agent = new WebSocket(`ws://127.0.0.1:${services.internal.api}${AGENT_PREFIX}/connect?cluster=default`, {
    headers: { authorization: `Bearer ${services.agentToken}` },
    maxPayload: 4 * 2 ** 20,
  });
  await once(agent, 'open');
  const told = new Set<string>();
  let sync: (ToAgent & { type: 'sync' }) | undefined;
  agent.on('message', (data: Buffer) => {
    const message = toAgent.parse(JSON.parse(data.toString('utf8')));
    if (message.type === 'desire') told.add(message.desire.id);
    if (message.type === 'sync' && message.kind === 'job') sync = message;
  });
  agent.send(JSON.stringify({ type: 'hello', version: '0', protocol: AGENT_PROTOCOL }));
  const { ids } = await until('the agent knows all', 60, (last) => {
    last(told.size);
    return sync;
  });
  expect(ids.length).toBe(JOBS / 2);
  expect(ids.filter((id) => !told.has(id))).toEqual([]);
  await inBounds();
  agent.terminate();
});
