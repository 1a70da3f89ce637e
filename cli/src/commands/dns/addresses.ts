import { isIP } from 'node:net';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError, type PlatformConfig, SERVICE_NAMES } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

const service = z.object({
  spec: z.object({ externalIPs: z.array(z.string()).default([]) }),
  status: z.object({
    loadBalancer: z
      .object({
        ingress: z.array(z.object({ ip: z.string().optional(), hostname: z.string().optional() })).default([]),
      })
      .default({ ingress: [] }),
  }),
});

/**
 * Addresses that the platform's names shall lead to: the configuration's, else what the gateway's Service shows.
 * @throws DelosError ERR_NOT_FOUND where neither says any
 */
export async function entranceAddresses(config: PlatformConfig, kube: () => Promise<Kube>): Promise<readonly string[]> {
  if (config.dns.addresses.length > 0) return config.dns.addresses;
  const where = ['--namespace', PLATFORM_NAMESPACE, '--ignore-not-found', '-o', 'json'];
  const text = await (await kube()).text(['get', 'service', SERVICE_NAMES.gateway, ...where]);
  if (text.trim() !== '') {
    const { spec, status } = service.parse(JSON.parse(text));
    const { ingress } = status.loadBalancer;
    const found = [...spec.externalIPs, ...ingress.flatMap(({ ip }) => ip ?? [])].filter((each) => isIP(each) !== 0);
    if (found.length > 0) return [...new Set(found)];
    const host = ingress.find(({ hostname }) => hostname !== undefined)?.hostname;
    if (host !== undefined) throw none(`its load balancer has a name alone, ${host}: write CNAME records to that`);
  }
  throw none('the gateway’s Service shows no address');
}

const none = (why: string): DelosError =>
  new DelosError('ERR_NOT_FOUND', `it is not known which addresses the platform’s names shall lead to: ${why}`, {
    hint: 'set `dns.addresses` in delos.yaml to the addresses at which users reach the platform',
  });
