import { compareReleases, DelosError, type InstancePaths, RELEASE } from '@delos/core';

/** `up` changes a platform of its own release alone. @throws DelosError ERR_CONFLICT for another one */
export async function refuseOtherRelease(paths: InstancePaths): Promise<void> {
  const { installedRelease } = await import('@delos/stacks');
  const installed = await installedRelease({ paths });
  if (installed === 'none' || installed === 'unfinished' || installed === RELEASE) return;
  const older = compareReleases(installed, RELEASE) < 0;
  throw new DelosError(
    'ERR_CONFLICT',
    `instance ${paths.instance} runs ${installed}, and this checkout is ${RELEASE}`,
    {
      hint: older
        ? '`delos upgrade --plan` says what an upgrade would do, `delos upgrade --offline` does it'
        : `use a checkout of ${installed}`,
    },
  );
}
