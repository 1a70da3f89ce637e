import { writeFileSync } from 'node:fs';
import { schedulerService } from '../../runtime/src/scheduler/index.ts';
import { startService } from '../../runtime/src/service-run.ts';
import { startControlApi, startIssuer } from './control-api.ts';
import { startPostgres } from './postgres.ts';

const pgs = await startPostgres();
const database = await pgs.connect();
await database.notifications.start();
const issuer = await startIssuer();
const api = await startControlApi(database, issuer);

import { observeAll } from './observer.ts';

if (process.env.AGENT) observeAll(database);
const sched = await startService(schedulerService, {
  env: { ...pgs.env(database.name), DELOS_LISTEN_HOST: '127.0.0.1', DELOS_LOG_LEVEL: 'debug' },
  internalPort: 0,
});
const node = {
  name: 'node-1',
  pool: 'default',
  ready: true,
  schedulable: true,
  cpu: 4,
  memory: 8 * 2 ** 30,
  extended: {},
  pods: 100,
};
if (process.env.NODES)
  await database.db
    .insertInto('nodes')
    .values({ cluster: 'default', name: 'node-1', report: JSON.stringify(node), reported_at: new Date() })
    .execute();
writeFileSync(
  '/tmp/f-dev.json',
  JSON.stringify({
    url: api.url,
    token: await issuer.token('alice'),
    admin: await issuer.token('admin'),
    expired: await issuer.token('alice', { exp: 1000 }),
    pg: pgs.env(database.name),
    metrics: sched.internalUrl,
  }),
);
console.error('ready', api.url);
process.on('SIGTERM', async () => {
  await sched.stop();
  await api.stop();
  await issuer.stop();
  await database.close();
  await pgs.stop();
  process.exit(0);
});
setInterval(() => {}, 1000);
