import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CATALOGUE } from '@delos/artifacts';
import { type Entrance, loadConfig, type SynthesisContext, synthesize } from '@delos/constructs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { settingsFromConfig, settingsToConfig } from '../../../stacks/src/platform/settings.ts';

/* The stack's configuration between two runs: what `delos up` writes there, and a plain `pulumi up` reads. */

const HOST_PORTS = { httpPort: 18080, httpsPort: 18443 };
const ENTRANCES: readonly (readonly [name: string, entrance: Entrance])[] = [
  ['nodes on this machine', { kind: 'node-port', http: 30080, https: 30443, hostPorts: HOST_PORTS }],
  ['a cluster elsewhere', { kind: 'service' }],
  ['a cluster elsewhere with forwarded ports', { kind: 'service', hostPorts: HOST_PORTS }],
];
const FILES = [
  '',
  'domain: ai.example.com\n',
  'domain: other.example.org\ngateway: {http: "on", httpPort: 81, httpsPort: 444}\n',
  'domain: localhost\ngateway: {http: "off"}\n',
  'domain: ai.example.com\ncluster: {userNamespaces: false, name: other}\nusers: [{name: bob}]\n',
];

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-settings-'));
  file = join(folder, 'delos.yaml');
});
afterEach(() => rm(folder, { recursive: true }));

const contextOf = (entrance: Entrance): SynthesisContext => ({
  images: Object.fromEntries(CATALOGUE.map(({ name }) => [name, `registry.example/${name}:1`])),
  apiServer: { addresses: ['192.0.2.1'], port: 6443 },
  userNamespaces: true,
  entrance,
});

/** What the stack's configuration holds after a `delos up` with this file's text. */
async function written(text: string, entrance: Entrance): Promise<Readonly<Record<string, string | undefined>>> {
  await writeFile(file, text);
  const cluster = { kubeconfig: '/kubeconfig', context: 'c' };
  return settingsToConfig({ config: await loadConfig(file), context: contextOf(entrance), cluster }, file);
}

describe.each(ENTRANCES)('on %s', (_name, entrance) => {
  test('a plain run after any change of delos.yaml deploys what `delos up` would with that file', async () => {
    const stored = await written('', entrance);
    for (const after of FILES) {
      await writeFile(file, after);
      const { config, context } = await settingsFromConfig((key) => stored[key]);
      expect(synthesize(config, context)).toEqual(synthesize(await loadConfig(file), contextOf(entrance)));
    }
  });

  test('nothing that is written depends on the file', async () => {
    const all = new Set<string>();
    // One after another: they are written to the same path.
    for (const text of FILES) all.add(JSON.stringify(await written(text, entrance)));
    expect(all.size).toBe(1);
  });
});

test('without a file the configuration itself is kept, and read back', async () => {
  await writeFile(file, 'domain: ai.example.com\n');
  const config = await loadConfig(file);
  const stored = settingsToConfig(
    { config, context: contextOf({ kind: 'service' }), cluster: { kubeconfig: '/k', context: 'c' } },
    undefined,
  );
  expect((await settingsFromConfig((key) => stored[key])).config).toEqual(config);
});

test('settings of an earlier release are refused, with what to do', async () => {
  const stored = await written('', { kind: 'service' });
  const old = { ...contextOf({ kind: 'service' }), entrance: undefined, publicUrl: 'http://127.0.0.1:8080' };
  const get = (key: string) => (key === 'context' ? JSON.stringify(old) : stored[key]);
  await expect(settingsFromConfig(get)).rejects.toMatchObject({
    code: 'ERR_CONFIG_VALUE',
    hint: 'run `./delos up` once, which writes it anew',
  });
});
