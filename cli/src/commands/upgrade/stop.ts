import { setTimeout as sleep } from 'node:timers/promises';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import type { Kube } from '../../instance/kube.ts';

const NAMESPACE = ['--namespace', PLATFORM_NAMESPACE] as const;
/** PostgreSQL may take a minute for its last checkpoint, and Pods that serve end their requests first. */
const STOP_LIMIT_MS = 300_000;

/** Lets no Pod of the platform be, but for those on each node, which only read logs there. */
export async function stopServices(kube: Kube, { progress, signal }: CommandContext): Promise<void> {
  // Clients first: a database that goes before them makes them fail, and their last words be errors.
  for (const kind of ['deployments', 'statefulsets']) {
    await kube.text(['scale', kind, '--all', '--replicas=0', ...NAMESPACE]);
    const owner = kind === 'deployments' ? 'ReplicaSet' : 'StatefulSet';
    await untilGone(kube, owner, progress, signal);
  }
}

async function untilGone(
  kube: Kube,
  owner: string,
  progress: CommandContext['progress'],
  signal: AbortSignal,
): Promise<void> {
  const end = Date.now() + STOP_LIMIT_MS;
  for (;;) {
    const row = '{.metadata.name} {.metadata.ownerReferences[0].kind}{"\\n"}';
    const text = await kube.text(['get', 'pods', ...NAMESPACE, '-o', `jsonpath={range .items[*]}${row}{end}`]);
    const left = text.split('\n').flatMap((line) => {
      const [name = '', kind] = line.split(' ');
      return kind === owner ? [name] : [];
    });
    if (left.length === 0) return;
    if (Date.now() > end) {
      throw new DelosError('ERR_TIMEOUT', `${left.join(', ')} did not end within ${STOP_LIMIT_MS / 1000} s`, {
        hint: '`delos kubectl get pods --namespace delos` tells why; the same command goes on',
      });
    }
    progress.step(`waiting until ${left.join(', ')} ended`);
    await sleep(500, undefined, { signal });
  }
}

/** Names of the claims of the platform's volumes. */
export async function claimsOf(kube: Kube): Promise<readonly string[]> {
  const text = await kube.text(['get', 'persistentvolumeclaims', ...NAMESPACE, '-o', 'name']);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^.*\//, ''));
}

/** Removes claims, and waits until they are gone. */
export async function removeClaims(kube: Kube, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await kube.text([
    'delete',
    'persistentvolumeclaims',
    ...NAMESPACE,
    ...names,
    '--ignore-not-found',
    '--timeout=60s',
    '--request-timeout=0',
  ]);
}
