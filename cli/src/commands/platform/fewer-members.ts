import { type DelosConfig, membersOf, ownServices, SERVICES, savedServices, sectionName } from '@delos/constructs';
import { DelosError } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

const claimList = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

/**
 * Refuses to make one of several members: the volume that is left may lack what the others have.
 * @throws DelosError ERR_CONFLICT where the volume of a second member is there, and the configuration wants one
 */
export async function refuseFewerMembers(config: DelosConfig, kube: Kube): Promise<void> {
  const single = ownServices(config, SERVICES).filter(
    (service) => service.members !== undefined && membersOf(config, service) === 1,
  );
  for (const { name, namespace, backup } of savedServices(config)) {
    const service = single.find((each) => each.name === name);
    if (service === undefined) continue;
    const { items } = await kube.json(claimList, ['get', 'persistentvolumeclaims', `--namespace=${namespace}`]);
    const second = `${backup.claim}-${name}-1`;
    if (!items.some(({ metadata }) => metadata.name === second)) continue;
    throw new DelosError('ERR_CONFLICT', `the cluster has members of ${name}, and the configuration wants one`, {
      hint:
        `the volume of one may lack what the others have: set \`services.${sectionName(service)}.replicas: 3\` again. ` +
        'To have one: delos backup, delos down --delete-data, then delos restore with --config',
      data: { claim: second },
    });
  }
}
