import { readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type DelosConfig, type Manifest, postgres, type SavedService, savedServices } from '@delos/constructs';
import { RELEASE } from '@delos/core';
import { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import type { Kube } from '../../instance/kube.ts';
import { outputOf } from '../backup/pod-command.ts';
import { serviceStatuses } from '../observe/services.ts';
import type { ImagesByService, UpgradeFacts } from './plan.ts';
import { upgradesFrom } from './releases.ts';

/** Where the service's sources have its migrations. */
const MIGRATIONS = 'runtime/service/src/db/migrations';
const KINDS = ['Deployment', 'StatefulSet', 'DaemonSet'];

const workload = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({ containers: z.array(z.looseObject({ image: z.string() })).min(1) }),
    }),
  }),
});

/** Service → image of its first container, of those that manifests deploy. */
export const imagesIn = (manifests: readonly Manifest[]): ImagesByService =>
  Object.fromEntries(
    manifests
      .filter(({ kind }) => KINDS.includes(kind))
      .map((manifest) => [
        manifest.metadata.name,
        workload.parse(manifest).spec.template.spec.containers[0]?.image ?? '',
      ]),
  );

/** Services with a volume to save that run now, whatever version deployed them. */
export function savedNow(config: DelosConfig, former: readonly Manifest[]): readonly SavedService[] {
  const there = new Set(former.filter(({ kind }) => kind === 'StatefulSet').map(({ metadata }) => metadata.name));
  return savedServices(config).filter(({ name }) => there.has(name));
}

/** Looks, and changes nothing. */
export async function upgradeFacts(
  context: CommandContext,
  kube: Kube,
  given: {
    readonly config: DelosConfig;
    readonly from: string;
    readonly former: readonly Manifest[];
    readonly next: readonly Manifest[];
    readonly offline: boolean;
  },
): Promise<UpgradeFacts> {
  const { config, former, next } = given;
  const { paths, root } = context;
  const services = savedNow(config, former);
  const { bavail, bsize } = await statfs(paths.state);
  const statuses = await serviceStatuses(kube, config, undefined);
  return {
    instance: paths.instance,
    from: given.from,
    to: RELEASE,
    upgradesFrom: upgradesFrom(root),
    images: { former: imagesIn(former), next: imagesIn(next) },
    ...(await databaseFacts(context, kube, services)),
    external: savedServices(config).some(({ name }) => name === postgres.name) ? [] : [postgres.name],
    members: savedServices(config)
      .filter(({ pods }) => pods.length > 1)
      .map(({ name }) => name),
    volumes: await volumeSizes(context, kube, services),
    free: bavail * bsize,
    ill: statuses.flatMap(({ name, ready, message }) =>
      ready || imagesIn(former)[name] === undefined ? [] : [{ name, message: message ?? 'it is not ready' }],
    ),
    offline: given.offline,
  };
}

const FOLDER = '/var/lib/postgresql/data/pgdata';

async function databaseFacts(
  context: CommandContext,
  kube: Kube,
  services: readonly SavedService[],
): Promise<Pick<UpgradeFacts, 'migrations' | 'postgres'>> {
  const known = readdirSync(join(context.root, MIGRATIONS)).filter((name) => /^\d{4}_.*\.sql$/.test(name));
  const service = services.find(({ name }) => name === postgres.name);
  if (service === undefined) return { migrations: known.sort(), postgres: { data: '', image: '' } };
  const ask = (...command: readonly string[]): Promise<string> => inPod(context, kube, service, command);
  const query = [
    'psql',
    '--host=/var/run/postgresql',
    '--username=postgres',
    '--dbname=delos',
    '--no-align',
    '--tuples-only',
  ];
  const applied = new Set((await ask(...query, '--command=select name from schema_migrations')).trim().split('\n'));
  return {
    migrations: known.filter((name) => !applied.has(name)).sort(),
    postgres: {
      data: (await ask('cat', `${FOLDER}/PG_VERSION`)).trim(),
      image: service.version.split('.')[0] ?? '',
    },
  };
}

/** What each service's volume holds. */
async function volumeSizes(
  context: CommandContext,
  kube: Kube,
  services: readonly SavedService[],
): Promise<UpgradeFacts['volumes']> {
  const sizes = [];
  for (const service of services) {
    // Of its first container, wherever that has the volume.
    const place = await kube.text([
      ...['get', 'pod', service.pods[0], '--namespace', service.namespace, '-o'],
      `jsonpath={.spec.containers[0].volumeMounts[?(@.name=="${service.backup.claim}")].mountPath}`,
    ]);
    const folder = `${place.split(' ')[0] ?? ''}/${service.backup.folder}`;
    // A file that goes meanwhile is no fault.
    const said = await inPod(context, kube, service, ['sh', '-c', 'du -sk "$1" 2>/dev/null || true', 'du', folder]);
    sizes.push({ service: service.name, bytes: Number(/^\d+/.exec(said)?.[0] ?? 0) * 1024 });
  }
  return sizes;
}

async function inPod(
  { signal }: CommandContext,
  kube: Kube,
  { namespace, pods }: SavedService,
  command: readonly string[],
): Promise<string> {
  const parts: Buffer[] = [];
  for await (const bytes of outputOf(kube, { namespace, pod: pods[0] }, command, signal)) parts.push(bytes);
  return Buffer.concat(parts).toString();
}
