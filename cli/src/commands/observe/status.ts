import { join } from 'node:path';
import { type ClusterStatus, devicesOf, lacksOf, nodeObjects } from '@delos/cluster';
import { joinOf, type PlatformConfig } from '@delos/core';
import { type LockHolder, tryReadJson } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { type Kube, kubeOf } from '../../instance/kube.ts';
import { holderOf } from '../../instance/lock.ts';
import { recordedConfig } from '../../instance/settings.ts';
import { platformUrls, tryDeployedUrls } from '../../platform-urls.ts';
import { table } from '../../table.ts';
import { type PlatformRecord, platformRecord } from '../platform/up-record.ts';
import { type Complaint, complaintsOf, tryGatewayCertificate } from '../tls/gateway-certificate.ts';
import { lostVolumes } from './lost-volumes.ts';
import { type ServiceStatus, serviceStatuses } from './services.ts';
import { type StorageStatus, storageStatus } from './storage.ts';
import { type PlatformUser, platformUsers } from './users.ts';

/** What runs, where, and who may log in. Says so as well when nothing does: asking is no error. */
export async function run(context: CommandContext, options: { readonly showPasswords: boolean }): Promise<void> {
  const document = await statusDocument(context, options.showPasswords);
  context.result(document, text(document, options.showPasswords));
}

export async function statusDocument(context: CommandContext, showPasswords: boolean): Promise<StatusDocument> {
  const config = await recordedConfig(context);
  const engine = await engineOf(context);
  const cluster = await engine.status();
  const holder = await holderOf(context.paths);
  const record = tryReadJson(join(context.paths.state, 'platform.json'), platformRecord);
  const kube = canBeAsked(cluster) ? await kubeOf(context, await engine.handle()) : undefined;
  // The platform may have been deployed by plain Pulumi, after a change of delos.yaml that no `up` has seen.
  const deployed = kube === undefined ? undefined : await tryDeployedUrls(kube);
  const urls = deployed ?? (record?.entrance === undefined ? undefined : platformUrls(config, record.entrance));
  const [services, lacks, certificate, storage, lost] =
    kube === undefined
      ? [[], [], undefined, undefined, []]
      : await Promise.all([
          serviceStatuses(kube, config, urls?.url.replace(/\/$/, '')),
          nodeLacks(kube, config),
          tryGatewayCertificate(kube, config),
          storageStatus(kube, config),
          lostVolumes(kube),
        ]);
  const users =
    services.length === 0 || joinOf(config) !== undefined
      ? []
      : await platformUsers(config, showPasswords ? kube : undefined);
  const healthy =
    services.length > 0 &&
    services.every(({ ready }) => ready) &&
    (cluster?.parts.every((part) => part.healthy) ?? false);
  return {
    instance: context.paths.instance,
    up: healthy,
    heldBy: holder ?? null,
    cluster: cluster ?? null,
    lacks,
    services,
    certificate:
      certificate === undefined
        ? null
        : {
            notAfter: new Date(certificate.leaf.validTo).toISOString(),
            complaints: complaintsOf(certificate, new Date()),
          },
    storage:
      services.length === 0 || storage === undefined
        ? null
        : { ...storage, complaints: [...lost, ...storage.complaints] },
    platform: { apiUrl: urls?.apiUrl ?? null, url: urls?.url ?? null, adminUser: config.admin.user },
    standIns: record?.standIns ?? [],
    users,
    state: context.paths.state,
  };
}

async function nodeLacks(kube: Kube, { nodePools }: PlatformConfig): Promise<StatusDocument['lacks']> {
  const { items } = await kube.json(nodeObjects, ['get', 'nodes']);
  return items
    .map(devicesOf)
    .flatMap((devices) => lacksOf(devices, nodePools).map((message) => ({ node: devices.name, message })));
}

/** Whether its API server can answer: the node that it is on was neither stopped nor cut off. */
function canBeAsked(cluster: ClusterStatus | undefined): boolean {
  return cluster !== undefined && (cluster.nodes[0]?.state ?? 'running') === 'running';
}

export interface StatusDocument {
  readonly instance: string;
  readonly up: boolean;
  readonly heldBy: LockHolder | null;
  readonly cluster: ClusterStatus | null;
  /** What single nodes lack for their devices to be of use. */
  readonly lacks: readonly { readonly node: string; readonly message: string }[];
  readonly services: readonly ServiceStatus[];
  /** What the gateway shows; null where the platform is not deployed. */
  readonly certificate: { readonly notAfter: string; readonly complaints: readonly Complaint[] } | null;
  /** What volumes are made of; null where the platform is not deployed. */
  readonly storage: StorageStatus | null;
  readonly platform: {
    readonly apiUrl: string | null;
    readonly url: string | null;
    readonly adminUser: string;
  };
  readonly standIns: PlatformRecord['standIns'];
  readonly users: readonly PlatformUser[];
  /** Folder of this instance's state. */
  readonly state: string;
}

/** One node is told in one line, several each in a line of its own. */
function nodeLines(nodes: ClusterStatus['nodes']): readonly string[] {
  return nodes.map(({ name, ready, pool, state = 'running' }, at) => {
    const words = [ready ? 'ready' : 'not ready', ...(state === 'running' ? [] : [state]), `pool ${pool ?? 'none'}`];
    return `${at === 0 ? 'nodes     ' : '          '}${name} (${words.join(', ')})`;
  });
}

function filesLines(storage: StatusDocument['storage']): readonly string[] {
  if (storage === null || storage.files === null) return [];
  const { phase, volume } = storage.files;
  return [`files     ${volume === null ? 'no volume yet' : `volume ${volume}`} (${phase.toLowerCase()})`];
}

const complaintLines = (who: string, complaints: readonly Complaint[]): readonly string[] =>
  complaints.flatMap(({ message, todo }) => ['', `${who}: ${message}`, `  what to do: ${todo}`]);

function text(document: StatusDocument, passwords: boolean): string {
  const { cluster, platform, services, standIns, users } = document;
  const blocks = [`instance ${document.instance}`];
  if (document.heldBy !== null)
    blocks.push(`held by \`delos ${document.heldBy.what}\`, process ${document.heldBy.pid}`);
  if (cluster === null) return [...blocks, 'The cluster is not up: `delos up` starts it.'].join('\n');
  const ill = cluster.parts.filter(({ healthy }) => !healthy);
  blocks.push(
    `cluster   ${cluster.kind}, Kubernetes ${cluster.version}, ${cluster.server}`,
    ...nodeLines(cluster.nodes),
    ...ill.map(({ name, message }) => `          ${name}: ${message}`),
    ...document.lacks.map(({ node, message }) => `          ${node}: ${message}`),
  );
  if (!canBeAsked(cluster)) return blocks.join('\n');
  if (services.length === 0) return [...blocks, 'The platform is not deployed: `delos up` does it.'].join('\n');
  blocks.push(
    `platform  ${platform.url ?? ''}`,
    `API       ${platform.apiUrl ?? ''}`,
    ...filesLines(document.storage),
    '',
    table(
      ['SERVICE', 'READY'],
      services.map(({ name, pods: { ready, wanted } }) => [name, `${ready}/${wanted}`]),
    ),
    ...services.flatMap(({ name, message, todo }) =>
      message === undefined ? [] : ['', `${name}: ${message}`, `  what to do: ${todo ?? ''}`],
    ),
    ...complaintLines('gateway', document.certificate?.complaints ?? []),
    ...complaintLines('storage', document.storage?.complaints ?? []),
    '',
    passwords
      ? table(
          ['USER', 'PASSWORD'],
          users.map(({ name, password }) => [name, password ?? '(not made here)']),
        )
      : `users     ${users.map(({ name }) => name).join(', ')} (\`delos status --show-passwords\`)`,
  );
  for (const { answers, standIn } of standIns) {
    blocks.push(`stand-in  ${answers.join(', ')}: really ${standIn}`);
  }
  return blocks.join('\n');
}
