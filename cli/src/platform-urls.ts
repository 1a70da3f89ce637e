import { type Entrance, PLATFORM_NAMESPACE, wayIn } from '@delos/constructs';
import { joinOf, type PlatformConfig } from '@delos/core';
import { z } from 'zod';
import type { Kube } from './instance/kube.ts';

export interface PlatformUrls {
  /** Where people point their browsers. */
  readonly url: string;
  /** Ends in `/api/v1`. */
  readonly apiUrl: string;
}

const ofUrl = (url: string): PlatformUrls => ({ url, apiUrl: `${url}/api/v1` });

/** Where the platform is reached, by the configuration that it is deployed with. */
export const platformUrls = (config: PlatformConfig, entrance: Entrance): PlatformUrls =>
  ofUrl(joinOf(config)?.platform.replace(/\/+$/, '') ?? wayIn(config, entrance).publicUrl);

const deployments = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      spec: z.object({
        template: z.object({
          spec: z.object({
            containers: z.array(
              z.object({
                env: z.array(z.object({ name: z.string(), value: z.string().optional() })).default([]),
              }),
            ),
          }),
        }),
      }),
    }),
  ),
});

/** Where the platform on this cluster says that it is reached, whoever deployed it last; undefined where there is none. */
export async function tryDeployedUrls(kube: Kube): Promise<PlatformUrls | undefined> {
  const { items } = await kube.json(deployments, ['get', 'deployments', '-n', PLATFORM_NAMESPACE]);
  const api = items.find(({ metadata }) => metadata.name === 'control-api');
  const url = api?.spec.template.spec.containers[0]?.env.find(({ name }) => name === 'DELOS_PUBLIC_URL')?.value;
  return url === undefined ? undefined : ofUrl(url);
}
