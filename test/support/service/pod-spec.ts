import type { JobDesire } from '@delos/core';

/** The specification of a job's Pod, for tests that do not depend on what is in it. */
export const POD_SPEC = {
  namespace: 'job-o-p-00000000',
  org: 'o',
  project: 'p',
  owner: 'ann',
  name: null,
  presetName: 'spot',
  pool: 'default',
  node: null,
  image: 'x',
  entrypoint: null,
  command: null,
  workingDir: null,
  env: {},
  tty: false,
  resources: { cpu: 1, memory: 2 ** 20, extended: {}, shm: false },
  httpPort: null,
  restartPolicy: 'never',
  maxRunTimeSeconds: null,
  priority: 'normal',
  security: 'baseline',
} as const satisfies JobDesire['spec']['pod'];
