import { z } from 'zod';
import { SECRETS_KEY } from '../secrets/keeper.ts';
import { runPulumi } from './command.ts';
import { MISLEADING, type PulumiHome, pulumiEnvironment } from './home.ts';
import { tryReadCheckpoint } from './state-file.ts';

const configValues = z.record(z.string(), z.looseObject({ value: z.string().optional() }));

/**
 * What a stack of this machine keeps, as text; undefined where it keeps nothing yet.
 * @throws Error of the `pulumi` command
 */
export async function keptSecrets(options: {
  readonly command: string;
  readonly home: PulumiHome;
}): Promise<string | undefined> {
  const { command, home } = options;
  if ((await tryReadCheckpoint(home)) === undefined) return undefined;
  const env = { ...process.env, ...pulumiEnvironment(home), [MISLEADING]: undefined };
  const text = await runPulumi(['config', '--json', '--show-secrets', '--stack', home.stack], {
    command,
    cwd: home.project,
    env,
  });
  return configValues.parse(JSON.parse(text))[SECRETS_KEY]?.value;
}
