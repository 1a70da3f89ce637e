import { join } from 'node:path';

/* `node deploy-release.ts JSON`: the code of a release deploys its platform, as its own `delos up` does. */

/** What a release's deployment is given. Its context has the keys of each release's shape. */
export interface ReleaseDeployment {
  readonly checkout: string;
  readonly configFile: string;
  readonly input: Readonly<Record<string, unknown>>;
}

const { checkout, configFile, input } = JSON.parse(process.argv[2] ?? '{}') as ReleaseDeployment;
const { deployPlatform } = (await import(join(checkout, 'stacks/src/index.ts'))) as {
  readonly deployPlatform: (input: unknown) => Promise<unknown>;
};
const { loadConfig } = (await import(join(checkout, 'core/src/index.ts'))) as {
  readonly loadConfig: (file: string) => Promise<unknown>;
};
const quiet = () => undefined;
await deployPlatform({
  ...input,
  config: await loadConfig(configFile),
  configFile,
  progress: { phase: () => quiet, step: quiet, warn: quiet },
  signal: new AbortController().signal,
});
