import fc from 'fast-check';
import { FUZZED_JOB, hostileBytes } from './hostile-requests.ts';
import { exchange } from './raw-connection.ts';
import { SERVICES, type ServiceName, type ServiceProcesses } from './service-processes.ts';

/** A job for hostile requests to name. */
async function makeJob(services: ServiceProcesses, authorization: string): Promise<void> {
  const job = { preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', image: 'x', name: FUZZED_JOB };
  const answer = await fetch(`http://127.0.0.1:${services.publicPort}/api/v1/jobs?from_preset`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(job),
  });
  if (answer.status !== 202) throw new Error(await answer.text());
}

/** Connections at once. */
const TOGETHER = 20;
/** A connection whose request is not whole gets no answer before the service's own limits; it is left then. */
const PATIENCE_MS = 300;

/** Sends hostile bytes to every listener of every service. @throws Error naming the service that ended, with the bytes */
export async function attack(services: ServiceProcesses, rounds: number, seed: number): Promise<void> {
  const alice = `Bearer ${await services.token('alice')}`;
  const agent = `Bearer ${services.agentToken}`;
  const tokens = [alice, agent, alice, agent, alice, agent, 'Bearer x', 'Basic \xff', ''];
  await makeJob(services, alice);
  const listeners: readonly (readonly [ServiceName, number])[] = [
    ['api', services.publicPort],
    ...SERVICES.map((name) => [name, services.internal[name]] as const),
  ];
  for (const [index, [service, port]] of listeners.entries()) {
    const all = fc.sample(hostileBytes(tokens), { numRuns: rounds, seed: seed + index });
    for (let start = 0; start < all.length; start += TOGETHER) {
      const batch = all.slice(start, start + TOGETHER);
      await Promise.all(batch.map((bytes) => exchange(port, bytes, PATIENCE_MS).catch(() => undefined)));
      const alive = await fetch(`http://127.0.0.1:${services.internal[service]}/health/live`).catch(() => undefined);
      if (services.ended(service) === undefined && alive?.ok === true) continue;
      const sent = batch.map((bytes) => JSON.stringify(bytes.toString('latin1'))).join('\n');
      throw new Error(`${service}: ${services.ended(service) ?? 'no answer'}, after one of these:\n${sent}`);
    }
  }
}
