import {
  AGENT_ACCOUNT,
  count,
  DelosError,
  IMAGE_SAVER,
  jobsTrustMore,
  type PlatformConfig,
  projectNamespace,
  type StandIn,
} from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { z } from 'zod';
import type { Authorities } from '../../base/outward/authorities.ts';
import { allowedRegistriesEnv, ownWorkload, runs } from '../../base/own-service.ts';
import { Secret, type SecretKey } from '../../base/secret.ts';
import { env, fileOf, mounted } from '../../base/secret-folder.ts';
import type { ServiceDescriptor, Site } from '../../base/service.ts';
import { volumeSource } from '../../base/storage/file-storage.ts';
import type { Workload } from '../../base/workload.ts';
import type { RotationWay } from '../../synthesis.ts';
import type { AgentsEntrance } from '../control-api/agents-entrance.ts';
import { controlApi } from '../control-api/index.ts';
import { type Egress, egress } from '../egress/index.ts';
import { AgentRights } from './rights.ts';

const section = z
  .strictObject({
    replicas: count
      .refine((number) => number <= 1, 'expected 1 or 0: one agent looks after all jobs of its cluster')
      .default(1)
      .describe('1, or 0 to stop it: jobs that run go on, and none is started'),
  })
  .prefault({});
type Section = z.infer<typeof section>;

const SAVER_TOKEN_KEPT: RotationWay = {
  kind: 'kept',
  why: 'the network lets the agent alone reach who takes it, and nobody is given it; deploying without it and with it again makes another',
};

/** The only service that holds a Kubernetes token: it makes the Pods of jobs. It dials out; nothing dials in. */
export class Agent extends Construct {
  readonly workload: Workload;
  readonly #saverToken: SecretKey | undefined;

  constructor(scope: Construct, id: string, at: Site<Section>) {
    super(scope, id);
    const { config, context, namespace } = at;
    const api = at.get<AgentsEntrance>(controlApi);
    const forJobs: WayOutOfJobs = {
      proxy: config.network.jobs.proxy ? at.get(egress).forJobs : undefined,
      authorities: jobsTrustMore(config.network) ? at.authorities : undefined,
    };
    // Of the platform's own cluster alone: a joined one has none.
    const source = api.joining === undefined ? volumeSource(config.storage) : undefined;
    if (api.joining === undefined && at.services.some(({ name }) => name === IMAGE_SAVER)) {
      const secret = new Secret(this, 'saver-token', {
        namespace,
        name: `${IMAGE_SAVER}-token`,
        sources: { token: { kind: 'password', length: 48, rotation: SAVER_TOKEN_KEPT } },
      });
      this.#saverToken = { secret, key: 'token' };
    }
    const saver = this.#saverToken;
    const rights = new AgentRights(this, 'rights', {
      files: source,
      serviceAccount: AGENT_ACCOUNT,
      namespace,
      privilegedNamespaces: config.organizations.flatMap((org) =>
        org.projects.filter(({ privileged }) => privileged).map(({ name }) => projectNamespace(org.name, name)),
      ),
    });
    this.workload = ownWorkload(this, agent, at, {
      runs: { kind: 'deployment', replicas: at.own.replicas, recreate: true },
      command: runs('agent'),
      kubernetesToken: true,
      mounts: () => [
        mounted(api.agentToken.secret),
        ...(saver === undefined ? [] : [mounted(saver.secret)]),
        ...(api.joining?.mounts() ?? []),
        ...(forJobs.authorities === undefined ? [] : [forJobs.authorities.mount()]),
      ],
      env: () => [
        ...api.address(),
        ...(api.joining?.env() ?? []),
        env('DELOS_AGENT_TOKEN_FILE', fileOf(api.agentToken)),
        ...(saver === undefined ? [] : [env('DELOS_SAVER_TOKEN_FILE', fileOf(saver))]),
        allowedRegistriesEnv(at, api.ownRegistries),
        env('POD_NAMESPACE', namespace.name),
        ...diskClass(at),
        ...(source === undefined ? [] : [env('DELOS_FILE_VOLUME', JSON.stringify(source))]),
        ...onlyPool(config),
        ...standIns(context.standIns ?? []),
        ...wayOutOfJobs(forJobs),
      ],
    });
    const { addresses, port } = context.apiServer;
    this.workload.reach({ kind: 'addresses', addresses, ports: [port] });
    api.lead(this.workload, this, namespace);
    this.workload.after(rights, ...(forJobs.authorities === undefined ? [] : [forJobs.authorities]));
  }

  /** What it shows to those that make images of containers. @throws DelosError ERR_INTERNAL where the configuration asks for none */
  get saverToken(): SecretKey {
    if (this.#saverToken !== undefined) return this.#saverToken;
    throw new DelosError('ERR_INTERNAL', `the list has no service ${IMAGE_SAVER}`);
  }
}

/** What of the way out jobs have. */
interface WayOutOfJobs {
  readonly proxy: Egress['forJobs'];
  readonly authorities: Authorities | undefined;
}

const wayOutOfJobs = ({ proxy, authorities }: WayOutOfJobs): readonly k8s.EnvVar[] => [
  ...(proxy === undefined ? [] : [env('DELOS_JOB_PROXY', proxy.url), env('DELOS_JOB_NO_PROXY', proxy.none)]),
  ...(authorities === undefined ? [] : [env('DELOS_JOB_AUTHORITIES_FILE', authorities.file)]),
];

/** What the configuration says, else what the cluster brings for disks, else its default. */
function diskClass({ config, context }: Site<Section>): readonly k8s.EnvVar[] {
  const name = config.disks.storageClass ?? context.diskClass;
  return name === undefined ? [] : [env('DELOS_DISK_CLASS', name)];
}

/** Of one pool alone every node is one, labelled or not. */
function onlyPool({ nodePools }: PlatformConfig): readonly k8s.EnvVar[] {
  const [first, second] = nodePools;
  return first !== undefined && second === undefined ? [env('DELOS_ONLY_POOL', first.name)] : [];
}

/** Digest → true content of the stand-in, as the agent reads it. */
function standIns(all: readonly StandIn[]): readonly k8s.EnvVar[] {
  const byDigest = Object.fromEntries(all.map(({ digest, standIn }) => [digest, standIn]));
  return all.length === 0 ? [] : [env('DELOS_STAND_INS', JSON.stringify(byDigest))];
}

/** The service that makes the Pods of jobs. */
export const agent: ServiceDescriptor<Section, Agent> = {
  name: AGENT_ACCOUNT,
  idea: 'the agent: makes the Pods of jobs, and tells what becomes of them',
  image: 'runtime',
  config: section,
  user: 60605,
  resources: { cpu: '20m', memory: '64Mi', memoryLimit: '256Mi' },
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'AgentGone',
      severity: 'critical',
      expr: 'sum by (job) (delos_api_agents) < 1',
      for: '2m',
      summary: 'No agent is connected to the control API: no job starts or ends',
    },
  ],
  panels: [
    {
      title: 'Connected agents',
      unit: 'count',
      kind: 'now',
      series: [{ expr: 'sum(delos_api_agents)', legend: 'agents' }],
    },
    {
      title: 'What it keeps of the cluster',
      unit: 'count',
      series: [{ expr: 'sum by (kind) (delos_agent_kept)', legend: '{{kind}}' }],
    },
  ],
  joined: true,
  needs: [controlApi],
  build: (scope, at) => new Agent(scope, 'agent', at),
};
