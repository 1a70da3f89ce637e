import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { delosConfig, engineContext, type Manifest } from '@delos/constructs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type TestCluster, testCluster } from '../../support/cluster/cluster.ts';
import { describeCluster, expectNotes, formsOf, manifestsOf } from '../../support/library/custom-platform.ts';
import { EXAMPLE, type PackedProject, packedProject } from '../../support/library/project.ts';

let project: PackedProject;
beforeAll(async () => {
  project = await packedProject();
});
afterAll(() => project?.remove());

/** The project's own compiler. */
const compile = (...options: readonly string[]) =>
  project.run([process.execPath, 'node_modules/typescript/bin/tsc', ...options]);

describe('the packed library', () => {
  test.each(['artifacts', 'core', 'constructs', 'stacks'])(
    '%s carries JavaScript, types and the licence, and no source',
    async (name) => {
      const files = await readdir(join(project.folder, 'node_modules/@delos', name), { recursive: true });
      const face = name === 'stacks' ? 'program' : 'index';
      expect(files).toEqual(
        expect.arrayContaining(['LICENSE', `dist/${face}.js`, `dist/${face}.d.ts`, 'package.json']),
      );
      expect(files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([]);
    },
  );

  test('compiles a platform with a service of one’s own, in at most 40 lines, and the programs that deploy it', async () => {
    const platform = await readFile(join(EXAMPLE, 'platform.ts'), 'utf8');
    expect(platform.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
    expect(await compile()).toMatchObject({ code: 0, stdout: '' });
  });

  test('prints that platform as manifests, in which Secrets alone have secrets, that are made once', async () => {
    const config = delosConfig.parse({ domain: 'ai.example.com' });
    await writeFile(join(project.folder, 'delos.yaml'), 'domain: ai.example.com\n');
    await writeFile(join(project.folder, 'context.json'), JSON.stringify(engineContext(config, 'existing')));
    const stdout = await manifestsOf(project, 'registry.example.com/notes:1.0');
    const objects = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
    const find = (kind: string, name: string): Manifest | undefined =>
      objects.find((each) => each.kind === kind && each.metadata.name === name);

    const secrets = join(project.folder, 'secrets');
    const password = await readFile(join(secrets, 'delos/postgres-notes/password'), 'utf8');
    const encoded = Buffer.from(password).toString('base64');
    expect(find('Secret', 'postgres-notes')).toMatchObject({ data: { password: encoded } });
    const others = JSON.stringify(objects.filter(({ kind }) => kind !== 'Secret'));
    for (const text of [password, encoded, 'PRIVATE KEY']) expect(others).not.toContain(text);
    for (const name of await readdir(secrets, { recursive: true })) {
      expect((await stat(join(secrets, name))).mode & 0o077, name).toBe(0);
    }
    expect(await manifestsOf(project, 'registry.example.com/notes:1.0')).toBe(stdout);

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
    await rm(secrets, { recursive: true });
  });

  test('has types by which a name in the place of a handle does not compile', async () => {
    const wrong = join(project.folder, 'wrong.ts');
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

describe('the platform of the guide, deployed by kubectl', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await testCluster();
  });

  test('serves its own service, is left alone by a second apply, and goes whole', async () => {
    const { image, origin } = await describeCluster(project);
    const manifests = await manifestsOf(project, image);
    try {
      await cluster.kubectl(['apply', '-f', '-'], manifests);
      await expectNotes(origin, cluster.kubectl, 240);
      const before = await formsOf(cluster.kubectl, manifests);
      expect(Object.keys(before).length).toBeGreaterThan(50);
      await cluster.kubectl(['apply', '-f', '-'], await manifestsOf(project, image));
      expect(await formsOf(cluster.kubectl, manifests)).toEqual(before);
    } finally {
      await cluster.kubectl(['delete', '--ignore-not-found', '--wait=true', '-f', '-'], manifests);
    }
    const left = await cluster.kubectl(['get', '--ignore-not-found', '-o', 'name', '-f', '-'], manifests);
    expect(left).toBe('');
  });
});
