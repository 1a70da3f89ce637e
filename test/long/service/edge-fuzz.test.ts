import { afterAll, beforeAll, expect, test } from 'vitest';
import { attack } from '../../support/edge/attack.ts';
import { SERVICES, type ServiceProcesses, startServices } from '../../support/edge/service-processes.ts';
import { runSeed } from '../../support/random.ts';

/* The short form is test/integration/service/edge/edge-fuzz.test.ts. */

let services: ServiceProcesses;

beforeAll(async () => {
  services = await startServices(SERVICES);
});
afterAll(() => services?.stop());

test('no input over a socket ends a service, in twenty thousand connections to each listener', async () => {
  await attack(services, 20_000, runSeed());
  for (const service of SERVICES) {
    expect([service, services.ended(service)]).toEqual([service, undefined]);
    expect(await services.log(service)).not.toContain('an error that no handler caught');
  }
});
