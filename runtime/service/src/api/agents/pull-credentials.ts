import type { Desire } from '@delos/core';
import type { ApiSettings } from '../deps.ts';
import { projectOfRepository } from '../resources/registry/names.ts';
import { ownRegistry, ownRepository } from '../resources/registry/platform-image.ts';
import { pullCredential } from '../resources/registry/pull-credential.ts';

/** A job that shall start from an image of the platform's own registry, with what its node shows there. All else as it is. */
export async function withPullCredential(
  settings: Pick<ApiSettings, 'registry' | 'publicUrl'>,
  desire: Desire,
  now: number = Math.floor(Date.now() / 1000),
): Promise<Desire> {
  const { registry } = settings;
  if (desire.kind !== 'job' || desire.spec.action !== 'run' || registry === undefined) return desire;
  const repository = ownRepository(settings, desire.spec.pod.image);
  const project = repository === undefined ? undefined : projectOfRepository(repository);
  if (project === undefined) return desire;
  const pull = {
    registry: ownRegistry(settings) ?? '',
    ...project,
    password: await pullCredential(registry, project, now),
  };
  return { ...desire, spec: { ...desire.spec, pull } };
}
