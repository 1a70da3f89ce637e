import { cp, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { instancePaths } from '@delos/core';
import { z } from 'zod';
import { type ApoloClient, apoloClient } from '../../peers/src/apolo.ts';
import { execute, expectOk } from '../../peers/src/command.ts';
import { delos, TEST_INSTANCE } from './instance.ts';
import { tryReadJson } from './json-file.ts';

/* The official client over https, with a certifi of its own: what trusts the platform is this test's alone. */

export interface TrustingClient {
  readonly client: ApoloClient;
  /** Environment of each of its commands. */
  readonly env: Readonly<Record<string, string>>;
  /** Bytes of the file that its certifi reads. */
  readonly authorities: () => Promise<Buffer>;
  /** `delos trust ARGS` for its Python. @returns stdout */
  readonly trust: (...args: readonly string[]) => Promise<string>;
}

export async function trustingClient(): Promise<TrustingClient> {
  const client = await apoloClient();
  const { code, stdout, stderr } = await client.python(
    'import certifi, sys; print(certifi.where()); print(sys.executable)',
  );
  if (code !== 0) throw new Error(stderr);
  const [file = '', python = ''] = stdout.trim().split('\n');
  const packages = join(client.home, 'packages');
  await cp(dirname(file), join(packages, 'certifi'), { recursive: true });
  await expectOk(execute(['chown', '-R', String(client.user.uid), packages]));
  const env = { PYTHONPATH: packages };
  return {
    client,
    env,
    authorities: () => readFile(join(packages, 'certifi', 'cacert.pem')),
    trust: (...args) => expectOk(delos(['trust', ...args, '--python', python], { env })),
  };
}

const record = z.object({ entrance: z.object({ hostPorts: z.object({ httpsPort: z.number() }) }) });

/** Port of this machine's loopback that leads to the TLS port of the tests' platform. */
export async function httpsPort(): Promise<number> {
  const file = join(instancePaths(TEST_INSTANCE, process.env).state, 'platform.json');
  const found = await tryReadJson(file, record);
  if (found === undefined) throw new Error(`${file} does not tell the port of TLS`);
  return found.entrance.hostPorts.httpsPort;
}
