import { rememberNames } from './edge/remembered-names.ts';
import type { Service } from './service.ts';
import { runService } from './service-run.ts';

/*
 * delos-runtime SERVICE: one file, all services. Each is imported only when it is the one that runs: an agent has no
 * use for a database client, nor memory to spare for it.
 */
const SERVICES: Readonly<Record<string, () => Promise<Service>>> = {
  api: async () => (await import('./api/index.ts')).apiService,
  scheduler: async () => (await import('./scheduler/index.ts')).schedulerService,
  identity: async () => (await import('./identity/index.ts')).identityService,
  agent: async () => (await import('./agent/index.ts')).agentService,
  acme: async () => (await import('./acme/index.ts')).acmeService,
  egress: async () => (await import('./egress/index.ts')).egressService,
  collector: async () => (await import('./collector/index.ts')).collectorService,
};

/** What runs once and ends, with its exit code. */
const COMMANDS: Readonly<Record<string, () => Promise<number>>> = {
  migrate: async () => (await import('./db/migrate-command.ts')).migrateCommand(process.env),
  clusters: async () => (await import('./db/clusters/command.ts')).clustersCommand(process.env, process.stdin),
  made: async () => (await import('./db/tenancy/made-command.ts')).madeCommand(process.env, process.stdin),
  leave: async () => (await import('./agent/leave-command.ts')).leaveCommand(process.env),
  rewrap: async () => (await import('./db/secrets/rewrap-command.ts')).rewrapCommand(process.env, process.stdin),
  token: async () => (await import('./identity/token-command.ts')).tokenCommand(process.env, process.stdin),
};

async function main(name: string): Promise<void> {
  const command = COMMANDS[name];
  if (command !== undefined) {
    process.exitCode = await command();
    return;
  }
  const load = SERVICES[name];
  if (load === undefined) {
    process.stderr.write(`usage: delos-runtime ${[...Object.keys(SERVICES), ...Object.keys(COMMANDS)].join('|')}\n`);
    process.exitCode = 2;
    return;
  }
  await runService(await load(), process.env);
}

rememberNames();
await main(process.argv[2] ?? '');
