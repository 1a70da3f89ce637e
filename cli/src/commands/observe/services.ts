import {
  type DelosConfig,
  membersOf,
  NODE_NAMESPACE,
  namespaceOf,
  ownServices,
  PLATFORM_NAMESPACE,
  primaryOf,
  type Route,
  SERVICES,
} from '@delos/constructs';
import type { ObjectClient } from '@delos/stacks';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import { whatToDo } from './what-to-do.ts';

/** A service of the platform, as its workload shows it. */
export interface ServiceStatus {
  readonly name: string;
  /** All of its Pods are ready, and as they shall be: `up` judges it so. */
  readonly ready: boolean;
  /** Pods that are ready, and Pods that are wanted. */
  readonly pods: { readonly ready: number; readonly wanted: number };
  /** Where users reach it, for a service that the gateway has a route to. */
  readonly url?: string;
  /** Why it is not ready: its youngest Pod, what is wrong with it, and the last line of one that crashed. */
  readonly message?: string;
  /** What to do about it. */
  readonly todo?: string;
}

const workload = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({ replicas: z.number().optional() }),
  status: z.looseObject({
    readyReplicas: z.number().default(0),
    numberReady: z.number().optional(),
    desiredNumberScheduled: z.number().optional(),
  }),
});

const KINDS = { Deployment: 'deployments', StatefulSet: 'statefulsets', DaemonSet: 'daemonsets' } as const;

/**
 * Every service of the list that runs as ours, in its order; empty where the platform is not deployed.
 * @param url of the platform, no trailing slash
 * @throws DelosError ERR_CLUSTER_UNREACHABLE
 */
export async function serviceStatuses(
  { cluster }: Kube,
  config: DelosConfig,
  url: string | undefined,
): Promise<readonly ServiceStatus[]> {
  const { connect } = await import('@delos/stacks');
  const client = await connect(cluster);
  try {
    const found = await workloadsOf(client);
    if (found.size === 0) return [];
    const lacking = await lackingPrimary(client, config);
    return ownServices(config, SERVICES).map(({ name, routes }) => ({
      ...(found.get(name) ?? {
        name,
        ready: false,
        pods: { ready: 0, wanted: 1 },
        message: 'not deployed',
        todo: '`delos up`',
      }),
      ...(lacking.includes(name) ? WITHOUT_PRIMARY : {}),
      ...(url === undefined ? {} : placeOf(url, routes)),
    }));
  } finally {
    client.api.close();
  }
}

const WITHOUT_PRIMARY = {
  ready: false,
  message: 'none of its members is the primary: nothing can be written',
  todo: 'see docs/runbooks/DatabaseWithoutPrimary.md',
};

const lease = z.looseObject({
  metadata: z.looseObject({
    annotations: z
      .looseObject({
        leader: z.string().optional(),
        renewTime: z.string().optional(),
        ttl: z.coerce.number().default(0),
      })
      .optional(),
  }),
});

/** Services with members of which none has said in time that it is the primary. */
async function lackingPrimary(client: ObjectClient, config: DelosConfig): Promise<readonly string[]> {
  const several = ownServices(config, SERVICES).filter((service) => membersOf(config, service) > 1);
  const lacking = await Promise.all(
    several.map(async (service) => {
      const ref = {
        apiVersion: 'v1',
        kind: 'Endpoints',
        namespace: namespaceOf(service),
        name: primaryOf(service.name),
      };
      const { annotations } = lease.parse((await client.tryGet(ref)) ?? { metadata: {} }).metadata;
      const { leader, renewTime = '', ttl } = annotations ?? { ttl: 0 };
      // Twice the time in which another would have taken its place: this machine's clock may be another than the node's.
      const known = leader !== undefined && Date.now() - Date.parse(renewTime) < 2 * ttl * 1000;
      return known ? [] : [service.name];
    }),
  );
  return lacking.flat();
}

async function workloadsOf(client: ObjectClient): Promise<ReadonlyMap<string, Omit<ServiceStatus, 'url'>>> {
  const { explain, verdictOn } = await import('@delos/stacks');
  const found = new Map<string, Omit<ServiceStatus, 'url'>>();
  for (const namespace of [PLATFORM_NAMESPACE, NODE_NAMESPACE]) {
    for (const [kind, plural] of Object.entries(KINDS)) {
      for (const listed of await client.list({ apiVersion: 'apps/v1', plural, namespace })) {
        // An object of a list does not say its kind.
        const object = { ...listed, apiVersion: 'apps/v1', kind };
        const { metadata, spec, status } = workload.parse(object);
        const { name } = metadata;
        const verdict = verdictOn(object);
        const ready = verdict.state === 'ready';
        const message = ready ? '' : (await explain(client, object)) || verdict.message;
        found.set(name, {
          name,
          ready,
          pods: {
            ready: status.numberReady ?? status.readyReplicas,
            wanted: status.desiredNumberScheduled ?? spec.replicas ?? 1,
          },
          ...(message === '' ? {} : { message, todo: whatToDo(name, message) }),
        });
      }
    }
  }
  return found;
}

/** The first path of a service's routes, without its pattern. */
function placeOf(url: string, routes: readonly Route[] = []): { readonly url?: string } {
  const path = routes[0]?.paths[0];
  return path === undefined ? {} : { url: `${url}${path.replace(/\/\*$/, '')}` };
}
