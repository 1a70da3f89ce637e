import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CATALOGUE } from '@delos/artifacts';
import { resolveTool } from '@delos/cluster';
import { loadConfig } from '@delos/constructs';
import { instancePaths, silent } from '@delos/core';
import { type JsonObject, objectAt, text } from '@delos/kube';
import { deployPlatform, type PlatformInput } from '@delos/stacks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { releaseCheckout } from '../../support/releases/checkout.ts';
import type { ReleaseDeployment } from '../../support/releases/deploy-release.ts';
import { RELEASES } from '../../support/releases/releases.ts';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { type PuppetNode, startPuppetNode } from '../../support/service/puppet-node.ts';

const DEPLOY = join(import.meta.dirname, '../../support/releases/deploy-release.ts');
/** Kinds that hold what nobody could make again. */
const STATEFUL = [
  { apiVersion: 'v1', plural: 'secrets', namespace: 'delos' },
  { apiVersion: 'v1', plural: 'secrets', namespace: 'delos-node' },
  { apiVersion: 'apps/v1', plural: 'statefulsets', namespace: 'delos' },
  { apiVersion: 'v1', plural: 'persistentvolumeclaims', namespace: 'delos' },
] as const;

let plane: ControlPlane;
let node: PuppetNode;
let folder: string;

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  node = await startPuppetNode(plane.client.api);
  folder = await mkdtemp(join(tmpdir(), 'delos-release-'));
});

afterAll(async () => {
  await node?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** `KIND NAMESPACE/NAME` → the object, of what must outlive an upgrade. */
async function statefulObjects(): Promise<ReadonlyMap<string, JsonObject>> {
  const found = new Map<string, JsonObject>();
  for (const kind of STATEFUL) {
    for (const object of await plane.client.list(kind)) {
      found.set(`${kind.plural} ${kind.namespace}/${text(object, 'metadata', 'name')}`, object);
    }
  }
  return found;
}

const uidsOf = (objects: ReadonlyMap<string, JsonObject>) =>
  Object.fromEntries([...objects].map(([name, object]) => [name, text(object, 'metadata', 'uid')]));

describe.each(RELEASES)('a stack that release $version made', (release) => {
  test('is taken over: nothing that holds state is replaced or deleted, and no secret is another', async () => {
    const configFile = join(folder, 'delos.yaml');
    await writeFile(configFile, 'users: [{ name: ann, email: ann@example.com }]\n');
    const [http, https] = [30080, 30443];
    const hostPorts = { httpPort: 8080, httpsPort: 8443 };
    const shared = {
      handle: { kubeconfig: plane.kubeconfig, context: plane.context },
      pulumi: await resolveTool('pulumi', silent),
      paths: instancePaths('release', { HOME: folder, XDG_STATE_HOME: join(folder, 'state') }),
    };
    const context = {
      images: Object.fromEntries(CATALOGUE.map(({ name }) => [name, `registry.example/${name}:1`])),
      apiServer: { addresses: ['10.201.0.2'], port: 6443 },
      entrance: { kind: 'node-port', http, https, hostPorts } as const,
    };
    const former = { publicUrl: 'http://127.0.0.1:8080', exposure: { kind: 'node-port', http, https } };
    const checkout = await releaseCheckout(release);
    const deployment: ReleaseDeployment = {
      checkout,
      configFile,
      input: { ...shared, context: { ...context, ...former } },
    };
    await expectOk(execute([process.execPath, DEPLOY, JSON.stringify(deployment)], { cwd: checkout, timeout: 300 }));
    const before = await statefulObjects();
    expect([...before.keys()]).toEqual(
      expect.arrayContaining(['statefulsets delos/postgres', 'secrets delos/keycloak-admin']),
    );

    const config = await loadConfig(configFile);
    const signal = new AbortController().signal;
    const input: PlatformInput = { ...shared, config, configFile, context, progress: silent, signal };
    const { changes } = await deployPlatform(input);
    expect(changes).toMatchObject({ delete: 0, replace: 0 });
    const after = await statefulObjects();
    expect(uidsOf(after)).toMatchObject(uidsOf(before));
    for (const [name, object] of before) {
      // In 0.1.0 the collector had the agent's token.
      if (!name.startsWith('secrets ') || name === 'secrets delos-node/collector-token') continue;
      const { 'tls.crt': _certificate, 'tls.key': _key, ...kept } = objectAt(object, 'data');
      // Its certificate is for more names than in 0.1.0; the authority stays.
      const data = name === 'secrets delos/gateway-tls' ? kept : objectAt(object, 'data');
      expect(objectAt(after.get(name), 'data'), name).toMatchObject(data);
    }
    const again = await deployPlatform(input);
    expect(again.changes).toMatchObject({ create: 0, update: 0, delete: 0, replace: 0 });
  });
});
