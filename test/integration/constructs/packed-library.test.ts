import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { delosConfig, type Manifest, Platform, profileContext, synthOf, withSecrets } from '@delos/constructs';

import { App } from 'cdk8s';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { REPOSITORY } from '../../support/docs/compiler.ts';
import { packLibrary } from '../../support/library/pack.ts';

const run = promisify(execFile);
const EXAMPLE = join(REPOSITORY, 'docs/examples/custom-platform.ts');
const ROOT_MANIFEST = join(REPOSITORY, 'package.json');

/** An empty project in which the packed library is installed, as anybody would. */
let project: string;

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'delos-library-'));
  const tarballs = await packLibrary(join(project, 'tarballs'));
  const { devDependencies } = JSON.parse(await readFile(ROOT_MANIFEST, 'utf8')) as {
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const tools = ['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`);
  await writeFile(join(project, 'package.json'), '{ "name": "ours", "type": "module" }');
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await run('npm', ['install', ...options, ...tarballs, ...tools], { cwd: project });
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2024',
    types: ['node'],
    rootDir: 'src',
    outDir: 'out',
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  await cp(EXAMPLE, join(project, 'src/custom-platform.ts'), { recursive: true });
});
afterAll(() => rm(project, { recursive: true, force: true }));

/** Exit code and output of the project's own compiler. */
async function compile(...options: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  try {
    const { stdout } = await run(process.execPath, ['node_modules/typescript/bin/tsc', ...options], { cwd: project });
    return { code: 0, stdout };
  } catch (error) {
    const { code, stdout } = error as { readonly code: number; readonly stdout: string };
    return { code, stdout };
  }
}

const execute = (secrets: Readonly<Record<string, string>>) =>
  run(process.execPath, ['out/custom-platform.js'], {
    cwd: project,
    env: { ...process.env, SECRETS: JSON.stringify(secrets) },
    maxBuffer: 2 ** 24,
  });

/** A value for every key that the example's platform asks for. */
function everySecret(): Readonly<Record<string, string>> {
  const config = delosConfig.parse({ domain: 'ai.example.com' });
  const platform = new Platform(new App(), 'platform', { config, context: profileContext(config, 'existing') });
  const values: Record<string, string> = { 'delos/postgres-notes/password': 'secret of notes' };
  withSecrets(synthOf(platform), ({ address, source: { kind } }) => {
    const label = kind.endsWith('key') ? 'PRIVATE KEY' : 'CERTIFICATE';
    const value = `secret of ${address}`;
    values[address] = kind === 'password' ? value : `-----BEGIN ${label}-----\n${value}\n-----END ${label}-----\n`;
    return values[address];
  });
  return values;
}

describe('the packed library', () => {
  test.each(['artifacts', 'core', 'constructs'])(
    '%s carries JavaScript, types and the licence, and no source',
    async (name) => {
      const files = await readdir(join(project, 'node_modules/@delos', name), { recursive: true });
      expect(files).toEqual(expect.arrayContaining(['LICENSE', 'dist/index.js', 'dist/index.d.ts', 'package.json']));
      expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    },
  );

  test('compiles and runs a platform with a service of one’s own, in at most 40 lines', async () => {
    expect((await readFile(EXAMPLE, 'utf8')).trimEnd().split('\n').length).toBeLessThanOrEqual(40);
    expect(await compile()).toEqual({ code: 0, stdout: '' });
    const { stdout } = await execute(everySecret());
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
    const find = (kind: string, name: string): Manifest | undefined =>
      objects.find((each) => each.kind === kind && each.metadata.name === name);

    expect(find('Secret', 'postgres-notes')).toMatchObject({ stringData: { password: 'secret of notes' } });
    const others = objects.filter(({ kind }) => kind !== 'Secret');
    expect(JSON.stringify(others)).not.toContain('secret of ');

    const pods = (name: string) => ({ podSelector: { matchLabels: { 'app.kubernetes.io/name': name } } });
    const port = (number: number) => [{ port: number, protocol: 'TCP' }];
    const policy = (name: string): unknown => find('NetworkPolicy', name)?.spec;
    expect(policy('notes')).toMatchObject({
      ingress: [{ from: [pods('gateway')], ports: port(8080) }],
      egress: expect.arrayContaining([{ to: [pods('postgres')], ports: port(5432) }]),
    });
    expect(policy('postgres')).toMatchObject({
      ingress: expect.arrayContaining([{ from: [pods('notes')], ports: port(5432) }]),
    });
    expect(policy('gateway')).toMatchObject({
      egress: expect.arrayContaining([{ to: [pods('notes')], ports: port(8080) }]),
    });

    expect(JSON.stringify(find('ConfigMap', 'gateway'))).toMatch(
      /\/notes\/\*.*notes\.delos\.svc\.cluster\.local:8080/s,
    );
    expect(find('StatefulSet', 'notes')).toMatchObject({
      spec: {
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { resources: { requests: { storage: '5Gi' } } } }],
      },
    });
    expect(JSON.stringify(find('ConfigMap', 'postgres'))).toContain('databases=\\"delos keycloak notes\\"');
  });

  test('asks for a value that the caller has not given, by its address', async () => {
    const { 'delos/postgres-notes/password': _, ...rest } = everySecret();
    await expect(execute(rest)).rejects.toMatchObject({
      stderr: expect.stringContaining('SECRETS has no delos/postgres-notes/password (password)'),
    });
  });

  test('has types by which a name in the place of a handle does not compile', async () => {
    const wrong = join(project, 'src/wrong.ts');
    await writeFile(
      wrong,
      "import { Postgres } from '@delos/constructs';\nimport { App, Chart } from 'cdk8s';\n" +
        "new Postgres(new Chart(new App(), 'chart'), 'db', { namespace: 'by-name' });\n",
    );
    const { code, stdout } = await compile('--skipLibCheck');
    await rm(wrong);
    expect(code).not.toBe(0);
    expect(stdout).toContain("Type 'string' is not assignable to type 'Namespace'");
  });
});
