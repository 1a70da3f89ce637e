// A platform for two teams that share four machines. Prints its Kubernetes manifests.
import { delosConfig, engineContext, synthesize } from '@delos/constructs';
import { yamlText } from '@delos/core';

const teams = ['speech', 'vision'];

const config = delosConfig.parse({
  domain: 'ai.example.com',
  users: teams.map((team) => ({ name: `${team}-lead` })),
  nodePools: [{ name: 'a100', maxSize: 4, cpu: 64, memory: '512Gi', nvidiaGpu: { count: 8, model: 'A100' } }],
  presets: [1, 2, 4, 8].map((count) => ({
    name: `a100-x${count}`,
    cpu: 7 * count,
    memory: `${60 * count}Gi`,
    nvidiaGpu: { count, model: 'A100' },
    preemptible: true,
  })),
  organizations: [
    {
      name: 'lab',
      // Each team gets half of the 32 GPUs back at once when it asks for them; what it leaves idle is lent.
      projects: teams.map((name) => ({
        name,
        guarantee: { gpu: 16 },
        members: [{ user: `${name}-lead`, role: 'manager' }],
      })),
    },
  ],
});

const { objects } = synthesize(config, engineContext(config, 'existing'));
console.log(objects.map(({ manifest }) => yamlText(manifest)).join('---\n'));
