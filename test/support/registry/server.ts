import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { engineContext, parseConfig, synthesize } from '@delos/constructs';
import { keySetOf, silent } from '@delos/core';
import { freePort } from '@delos/host';
import { z } from 'zod';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { until } from '../until.ts';

/** The switch that puts the registry into a platform. */
export const WITH_REGISTRY = 'services: {registry: {enabled: true}}';

const collected = z.object({
  blobs: z.number(),
  bytes: z.number(),
  links: z.number(),
  manifests: z.number(),
  kept: z.number(),
});
/** What a collection did. */
export type Collected = z.infer<typeof collected>;

/** The platform's own registry, by its own settings and start script, on loopback. */
export interface TestRegistry {
  readonly port: number;
  readonly url: string;
  /** The folder that stands for its volume. */
  readonly data: string;
  /** Signs the tokens that it takes; PKCS #8 in PEM. */
  readonly key: string;
  /** The same in a file, and the file of the keys that check tokens. */
  readonly keyFile: string;
  readonly keysFile: string;
  /** The file of the secret that signs where an upload stands. */
  readonly secretFile: string;
  readonly logged: () => string;
  /** Starts it, and waits until it answers. */
  readonly up: () => Promise<void>;
  /** What its command `collect` prints: what unused blobs it has removed. @param seconds how long they are kept */
  readonly collect: (seconds: number) => Promise<Collected>;
  /** What Prometheus reads. */
  readonly metrics: () => Promise<string>;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

const files = z.object({ 'config.yml': z.string(), 'limits.json': z.string() });
const variable = z.object({ name: z.string(), value: z.string() });
const workload = z.object({
  spec: z.object({
    template: z.object({ spec: z.object({ containers: z.array(z.object({ env: z.array(variable) })) }) }),
  }),
});

/** A key as the stack makes one. */
export function signingKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** @param how more of delos.yaml, and variables of the program in place of those of a platform */
export async function testRegistry(
  how: { readonly services?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<TestRegistry> {
  const { path } = await resolveTool('image-registry', silent);
  const config = parseConfig(how.services ?? WITH_REGISTRY, 'delos.yaml');
  const { objects } = synthesize(config, engineContext(config, 'embedded'));
  const found = objects.find(
    ({ manifest: { kind, metadata } }) => kind === 'ConfigMap' && metadata.name === 'registry',
  );
  const parts = files.parse(found?.manifest.data);
  const set = objects.find(
    ({ manifest: { kind, metadata } }) => kind === 'StatefulSet' && metadata.name === 'registry',
  );
  const variables = Object.fromEntries(
    workload.parse(set?.manifest).spec.template.spec.containers[0]?.env.map(({ name, value }) => [name, value]) ?? [],
  );
  const folder = await mkdtemp(join(tmpdir(), 'delos-registry-'));
  const [data, run] = [join(folder, 'data'), join(folder, 'run')];
  for (const each of [data, run]) await mkdir(each);
  const ports = { http: await freePort(), internal: await freePort() };
  const key = signingKey();
  const changes = {
    '/var/lib/registry': data,
    '/etc/delos-secrets/registry/keys': join(folder, 'keys'),
    'addr: :5000': `addr: 127.0.0.1:${ports.http}`,
    'addr: :8081': `addr: 127.0.0.1:${ports.internal}`,
  };
  let text = parts['config.yml'];
  for (const [part, instead] of Object.entries(changes)) {
    if (!text.includes(part)) throw new Error(`the registry's settings have no ${JSON.stringify(part)}`);
    text = text.replaceAll(part, instead);
  }
  await writeFile(join(folder, 'config.yml'), text);
  await writeFile(join(folder, 'limits.json'), parts['limits.json']);
  const env = {
    ...variables,
    DELOS_IMAGES_ROOT: data,
    DELOS_IMAGES_SOCKET: join(run, 'collect.sock'),
    DELOS_IMAGES_SECRET_FILE: join(folder, 'secret'),
    DELOS_IMAGES_LIMITS_FILE: join(folder, 'limits.json'),
    ...how.env,
    PATH: `${dirname(path)}:/usr/bin:/bin`,
  };
  await writeFile(join(folder, 'key'), key);
  await writeFile(join(folder, 'keys'), keySetOf(key));
  await writeFile(join(folder, 'secret'), 'a-secret-of-the-test');
  let child: ChildProcess | undefined;
  let logged = '';
  const url = `http://127.0.0.1:${ports.http}`;
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null) return;
    const gone = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await gone;
  };
  return {
    port: ports.http,
    url,
    data,
    key,
    keyFile: join(folder, 'key'),
    keysFile: join(folder, 'keys'),
    secretFile: join(folder, 'secret'),
    logged: () => logged,
    up: async () => {
      const started = spawn(path, ['serve', join(folder, 'config.yml')], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env,
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream.on('data', (part: Buffer) => {
          logged += part.toString();
        });
      }
      await until('the registry answers', 60, async (last) => {
        last(logged.slice(-2_000));
        if (started.exitCode !== null) throw new Error(logged);
        const answers = await Promise.all(
          [`${url}/`, `http://127.0.0.1:${ports.internal}/debug/health`].map((each) =>
            fetch(each).catch(() => undefined),
          ),
        );
        return answers.every((answer) => answer?.ok === true) ? true : undefined;
      });
    },
    collect: async (seconds) =>
      collected.parse(JSON.parse(await expectOk(execute([path, 'collect', String(seconds)], { env })))),
    metrics: async () => (await fetch(`http://127.0.0.1:${ports.internal}/metrics`)).text(),
    kill,
    stop: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
