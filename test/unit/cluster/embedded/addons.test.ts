import { type JsonObject, KubeError } from '@delos/kube';
import { beforeAll, expect, test } from 'vitest';
import { addressesOf } from '../../../../cluster/src/embedded/host/addresses.ts';
import { certificatesOf } from '../../../../cluster/src/embedded/node/certificates.ts';
import { addAddons } from '../../../../cluster/src/embedded/node/keep.ts';
import { ensurePki } from '../../../../cluster/src/embedded/node/pki.ts';
import { layoutOf, type NodeSpec, nodeSpec } from '../../../../cluster/src/embedded/spec.ts';
import { firstSpec } from '../../../support/cluster/first-spec.ts';
import { temporaryFolder } from '../../../support/setup/temporary-folder.ts';

let spec: NodeSpec;

beforeAll(async () => {
  const state = temporaryFolder('addons');
  await ensurePki(layoutOf(state).pki, certificatesOf(addressesOf(3)));
  const first = firstSpec(state);
  spec = nodeSpec.parse({ ...first, tools: { ...first.tools, cniGate: null, policyAgent: null }, resolvers: [] });
});

/** An API server that keeps objects by their path, and refuses to change how a StorageClass binds, as a real one does. */
class Objects {
  readonly at = new Map<string, JsonObject>();
  readonly deleted: string[] = [];

  async apply(path: string, body: unknown): Promise<JsonObject> {
    const object = body as JsonObject;
    const before = this.at.get(path)?.volumeBindingMode;
    if (before !== undefined && before !== object.volumeBindingMode) throw new KubeError(422, 'field is immutable');
    this.at.set(path, object);
    return object;
  }
  async delete(path: string): Promise<JsonObject> {
    this.deleted.push(path);
    this.at.delete(path);
    return {};
  }
  async tryGet(path: string): Promise<JsonObject | undefined> {
    return this.at.get(path);
  }
}

test('more nodes make the class of disks anew, and nothing else; add-ons say for how many nodes they are', async () => {
  const api = new Objects();
  let nodes = 1;
  const applied = new Map<number, () => void>();
  const ready = (count: number): Promise<void> => new Promise((resolve) => applied.set(count, resolve));
  const first = ready(1);
  void addAddons(
    () => ({ ...spec, nodes }),
    api,
    () => true,
    (text, used) => (text === 'ready' ? applied.get(used.nodes)?.() : undefined),
  );
  await first;
  const path = '/apis/storage.k8s.io/v1/storageclasses/delos-disks';
  expect(api.at.get(path)?.volumeBindingMode).toBe('Immediate');
  const second = ready(3);
  nodes = 3;
  await second;
  expect(api.at.get(path)?.volumeBindingMode).toBe('WaitForFirstConsumer');
  expect(api.deleted).toEqual([path]);
  expect(api.at.get('/apis/apps/v1/namespaces/kube-system/deployments/coredns')).toMatchObject({
    spec: { replicas: 2 },
  });
});
