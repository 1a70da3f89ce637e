/*
 * Runs a stack under Pulumi's mocks, with no engine, no provider and no cloud, and prints what it would make as one JSON document:
 *   node mocked.ts eks|gke|aks FILE
 */
import pulumi from '@pulumi/pulumi';

interface Made {
  readonly type: string;
  readonly name: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

const STACKS = {
  eks: () => import('../src/eks.ts'),
  gke: () => import('../src/gke.ts'),
  aks: () => import('../src/aks.ts'),
};
const isStack = (name: string): name is keyof typeof STACKS => Object.hasOwn(STACKS, name);

/** What a cloud would say of a new resource beside what it was told, as far as the stacks read it. */
const ANSWERS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'aws:eks/cluster:Cluster': { endpoint: 'https://eks.example', certificateAuthority: { data: 'Y2E=' } },
  'gcp:container/cluster:Cluster': { endpoint: '192.0.2.7', masterAuth: { clusterCaCertificate: 'Y2E=' } },
  'azure-native:containerservice:ManagedCluster': {
    fqdn: 'lab.azmk8s.example',
    privateFQDN: 'lab.privatelink.example',
  },
};
const KUBECONFIG = Buffer.from('apiVersion: v1\nkind: Config\ncurrent-context: lab\n').toString('base64');

const [stack = '', file = ''] = process.argv.slice(2);
if (!isStack(stack)) throw new Error(`expected ${Object.keys(STACKS).join(', ')}`);
const made: Made[] = [];
await pulumi.runtime.setMocks(
  {
    newResource: ({ type, name, inputs }) => {
      made.push({ type, name, inputs });
      const named = typeof inputs.resourceName === 'string' ? { name: inputs.resourceName } : {};
      return {
        id: `${name}-id`,
        state: {
          arn: `arn:${name}`,
          name,
          email: `${name}@example`,
          latestVersion: 1,
          ...inputs,
          ...named,
          ...ANSWERS[type],
        },
      };
    },
    call: ({ token }) => {
      if (token !== 'azure-native:containerservice:listManagedClusterUserCredentials')
        throw new Error(`${token} was asked`);
      return { kubeconfigs: [{ name: 'clusterUser', value: KUBECONFIG }] };
    },
  },
  `delos-${stack}`,
  'test',
  false,
);
pulumi.runtime.setAllConfig({ [`delos-${stack}:file`]: file });

const outputs = Object.entries(await STACKS[stack]());
const told = await Promise.all(
  outputs.map(async ([name, value]) => {
    const secret = pulumi.Output.isInstance(value) && (await pulumi.isSecret(value));
    const known = await new Promise((resolve) => pulumi.output(value).apply(resolve));
    return [name, { secret, value: known }] as const;
  }),
);
// Children of what is made by now come in the turns after it.
await new Promise((resolve) => setTimeout(resolve, 200));
console.log(JSON.stringify({ made, outputs: Object.fromEntries(told) }));
