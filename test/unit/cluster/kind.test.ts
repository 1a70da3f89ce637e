import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { engineFor } from '@delos/cluster';
import { instancePaths, platformConfig, silent } from '@delos/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { temporaryFolder } from '../../support/setup/temporary-folder.ts';

let folder: string;
let calls: () => string[];
let env: Record<string, string>;

/** `docker` and `kind` that write down how they were called, and remember which clusters they were told to make. */
beforeEach(() => {
  folder = temporaryFolder('kind');
  const script = `#!/bin/sh
echo "$(basename "$0") $*" >> ${folder}/calls
case "$(basename "$0") $1 $2" in
  "docker version "*) [ ! -e ${folder}/no-docker ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }; echo 27.0 ;;
  "kind get clusters") cat ${folder}/clusters 2>/dev/null || true ;;
  "kind get nodes") echo delos-mine-control-plane ;;
  "kind create cluster") cat > ${folder}/config; echo delos-mine > ${folder}/clusters ;;
  "kind delete cluster") rm -f ${folder}/clusters ;;
  "kind export kubeconfig") while [ $# -gt 1 ]; do [ "$1" != --kubeconfig ] || { mkdir -p "$(dirname "$2")"; cp ${folder}/kubeconfig "$2"; }; shift; done ;;
esac
`;
  for (const name of ['docker', 'kind']) {
    writeFileSync(join(folder, name), script);
    chmodSync(join(folder, name), 0o755);
  }
  calls = () =>
    existsSync(join(folder, 'calls')) ? readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n') : [];
  env = { HOME: folder, PATH: `${folder}${delimiter}${process.env.PATH ?? ''}` };
});

async function withApi<T>(work: () => Promise<T>): Promise<T> {
  const api = createServer((request, response) =>
    response.end(JSON.stringify(request.url === '/version' ? { gitVersion: 'v1.33.1' } : { items: [] })),
  ).listen(0, '127.0.0.1');
  await once(api, 'listening');
  const { port } = api.address() as AddressInfo;
  const cluster = {
    name: 'kind-delos-mine',
    cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true },
  };
  const context = { name: 'kind-delos-mine', context: { cluster: 'kind-delos-mine', user: 'me' } };
  writeFileSync(
    join(folder, 'kubeconfig'),
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'kind-delos-mine',
      clusters: [cluster],
      users: [{ name: 'me', user: {} }],
      contexts: [context],
    }),
  );
  try {
    return await work();
  } finally {
    api.close();
  }
}

const config = platformConfig.parse({
  cluster: { engine: 'kind' },
  gateway: { httpPort: 0, httpsPort: 0 },
  nodePools: [{ name: 'small', labels: { zone: 'a' } }],
});
const engine = () => engineFor(config, { paths: instancePaths('mine', { HOME: folder }), env });

describe('the kind engine, against a recording fake of `kind` and `docker` on PATH', () => {
  test('makes a cluster with the gateway’s ports on loopback, loads images into it, and deletes it', () =>
    withApi(async () => {
      const kind = await engine();
      const handle = await kind.up(config, silent);
      const made = parse(readFileSync(join(folder, 'config'), 'utf8'));
      expect(made).toMatchObject({
        kind: 'Cluster',
        nodes: [
          {
            labels: { zone: 'a', 'delos.dev/pool': 'small' },
            extraPortMappings: [
              { containerPort: 30080, listenAddress: '127.0.0.1', hostPort: expect.any(Number) },
              { containerPort: 30443, listenAddress: '127.0.0.1', hostPort: expect.any(Number) },
            ],
          },
        ],
      });
      const [exposed] = await handle.exposeLoopback([{ host: 0, node: 30080 }]);
      expect(exposed).toEqual({ host: made.nodes[0].extraPortMappings[0].hostPort, node: 30080 });
      if (handle.images.kind !== 'load') throw new Error('images are not loaded');
      await handle.images.load('/images/runtime.tar');
      await kind.down({ deleteData: true }, silent);
      const kubeconfig = handle.kubeconfig;
      expect(calls()).toEqual([
        'docker version --format {{.Server.Version}}',
        'kind version',
        'kind get clusters',
        `kind create cluster --name delos-mine --config - --kubeconfig ${kubeconfig} --wait 180s`,
        'kind get clusters',
        `kind export kubeconfig --name delos-mine --kubeconfig ${kubeconfig}`,
        'kind load image-archive /images/runtime.tar --name delos-mine',
        'kind get clusters',
        `kind delete cluster --name delos-mine --kubeconfig ${kubeconfig}`,
        'kind get clusters',
      ]);
    }));

  test('a cluster that is there is started, not made again', () =>
    withApi(async () => {
      writeFileSync(join(folder, 'clusters'), 'other\ndelos-mine\n');
      await (await engine()).up(config, silent);
      expect(calls()).toContain('docker start delos-mine-control-plane');
      expect(calls().some((call) => call.startsWith('kind create'))).toBe(false);
    }));

  test('without a Docker engine nothing is made, and the error says what to do', async () => {
    writeFileSync(join(folder, 'no-docker'), '');
    await expect((await engine()).up(config, silent)).rejects.toMatchObject({
      code: 'ERR_TOOL_UNAVAILABLE',
      message: 'no Docker engine answers: Cannot connect to the Docker daemon',
      hint: expect.stringContaining('embedded'),
    });
    expect(calls()).toHaveLength(1);
  });

  test('without a cluster there is no handle and no status, and `down` has nothing to do', async () => {
    rmSync(join(folder, 'clusters'), { force: true });
    const kind = await engine();
    expect(await kind.status()).toBeUndefined();
    await expect(kind.handle()).rejects.toMatchObject({ code: 'ERR_NOT_UP' });
    await kind.down({ deleteData: true }, silent);
    expect(calls().some((call) => call.startsWith('kind delete'))).toBe(false);
  });
});
