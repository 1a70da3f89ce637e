import { DelosError } from '@delos/core';
import { Construct } from 'constructs';
import { DNS } from '../../base/connections.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import { PORTS } from '../../base/names.ts';
import { OWN_PROBES } from '../../base/probes.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import { goMemoryLimit } from '../../base/sections/resources-section.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { bucketEnv, bucketSecrets } from '../../base/storage/bucket.ts';
import { Workload } from '../../base/workload.ts';
import { postgres } from '../postgres/index.ts';
import { Postgres } from '../postgres/postgres.ts';
import { type ArchiveSection, storeOf } from './section.ts';

/** Of its memory, kept by its own collection of garbage. */
const HEAP = 0.8;
const DAY_SECONDS = 86_400;

/** Follows the log of the platform's PostgreSQL into a bucket. It keeps nothing by itself. */
export class DatabaseArchive extends Construct {
  readonly workload: Workload;

  constructor(
    scope: Construct,
    id: string,
    {
      descriptor,
      at,
    }: { readonly descriptor: Pick<ServiceDescriptor, 'name' | 'user'>; readonly at: Site<ArchiveSection> },
  ) {
    super(scope, id);
    const { own, namespace, resources } = at;
    const server = at.get(postgres);
    const bucket = own.store === undefined ? at.bucket : storeOf(this, namespace, own.store);
    if (!(server instanceof Postgres) || bucket === undefined) {
      throw new DelosError('ERR_INTERNAL', `${descriptor.name} needs a PostgreSQL of the platform, and a bucket`);
    }
    const { host, port, user, password, peer, slot } = server.follower();
    const key = own.key === undefined ? undefined : secretKeyOf(this, 'database-archive-key', namespace, own.key);
    const secrets = [...bucketSecrets(bucket), password.secret, ...(key === undefined ? [] : [key.secret])];
    this.workload = new Workload(this, 'workload', {
      name: descriptor.name,
      namespace,
      // Two would take the log from each other.
      runs: { kind: 'deployment', replicas: 1, recreate: true },
      image: at.image,
      user: descriptor.user,
      userNamespace: at.userNamespaces,
      resources,
      rereadsSecrets: true,
      command: ['/bin/pg-archive'],
      ports: { internal: PORTS.internal },
      probes: OWN_PROBES,
      mounts: () => [...new Set(secrets)].map(mounted),
      env: () => [
        ...bucketEnv(bucket),
        env('PGHOST', host),
        env('PGPORT', String(port)),
        env('PGUSER', user),
        env('PGPASSWORD_FILE', fileOf(password)),
        env('DELOS_ARCHIVE_SLOT', slot),
        env('DELOS_ARCHIVE_PORT', String(PORTS.internal)),
        env('DELOS_ARCHIVE_WITHIN_SECONDS', String(own.within)),
        env('DELOS_ARCHIVE_BASE_SECONDS', String(own.baseEvery)),
        env('DELOS_ARCHIVE_KEEP_SECONDS', String(own.keepDays * DAY_SECONDS)),
        ...(key === undefined ? [] : [env('DELOS_ARCHIVE_KEY_FILE', fileOf(key))]),
        goMemoryLimit(resources, HEAP),
      ],
    });
    this.workload.reach(peer, bucket.peer, DNS);
    this.workload.after(server.workload, ...bucket.ready);
  }
}
