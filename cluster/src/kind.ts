import { join } from 'node:path';
import { DelosError, NODE_PORTS, type PlatformConfig, type Progress } from '@delos/core';
import { canBind, freePort, tryCommand, tryHolderOf, tryReadJson, writeAtomic } from '@delos/host';
import { KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import { readCluster } from './cluster-client.ts';
import type { ClusterEngine, ClusterHandle, EngineOptions } from './engine.ts';
import { KIND_HOSTS, type KindPort, renderKindConfig } from './kind-config.ts';
import { hostsOfSite, writeHosts } from './registry-hosts.ts';
import { lacksUserNamespaces } from './user-namespaces.ts';

const portsFile = z.object({ ports: z.array(z.object({ host: z.number(), node: z.number() })) });
/** Pulling the node image is the long part. */
const CREATE_LIMIT = 900_000;

/** A cluster in containers of a Docker engine, made by the `kind` command. */
export function kindEngine(config: PlatformConfig, options: EngineOptions): ClusterEngine {
  const name = `delos-${options.paths.instance}`;
  const kubeconfig = join(options.paths.state, 'cluster', 'kubeconfig');
  const hosts = join(options.paths.state, 'cluster', 'certs.d');
  const portsPath = join(options.paths.state, 'cluster', 'kind-ports.json');
  const env = options.env as NodeJS.ProcessEnv;

  async function run(command: string, args: readonly string[], limit = 60_000, input = ''): Promise<string> {
    const result = await tryCommand(command, args, { timeout: limit, env, input });
    if (result.code === 0) return result.stdout;
    const last = result.stderr.trim().split('\n').slice(-2).join(' ');
    throw new DelosError('ERR_CLUSTER_START', `${command} ${args.join(' ')}: ${last}`, {
      hint: 'see that `docker info` and `kind version` answer; the same command goes on where this one stopped',
    });
  }

  async function exists(): Promise<boolean> {
    return (await run('kind', ['get', 'clusters'])).split('\n').some((line) => line.trim() === name);
  }

  /** kind maps ports when it makes the cluster: later is too late. They are kept with the cluster: they cannot change while it lives. */
  async function settlePorts(): Promise<readonly KindPort[]> {
    const kept = tryReadJson(portsPath, portsFile)?.ports;
    const wanted = [
      { host: config.gateway.httpPort, node: NODE_PORTS.http },
      { host: config.gateway.httpsPort, node: NODE_PORTS.https },
    ];
    const ports: KindPort[] = [];
    for (const { host, node } of wanted) {
      const before = kept?.find((port) => port.node === node)?.host;
      const port = host !== 0 ? host : (before ?? (await freePort()));
      if (!(await canBind(port))) {
        const holder = tryHolderOf(port);
        const who = holder === undefined ? '' : ` by process ${holder.pid} (${holder.command})`;
        throw new DelosError('ERR_PORT_TAKEN', `port ${port} of 127.0.0.1 is taken${who}`, {
          hint: 'end what holds it, or set gateway.httpPort and gateway.httpsPort to other ports (0: take a free one)',
        });
      }
      ports.push({ host: port, node });
    }
    writeAtomic(portsPath, JSON.stringify({ ports }));
    return ports;
  }

  async function handle(): Promise<ClusterHandle> {
    if (!(await exists())) {
      throw new DelosError('ERR_NOT_UP', `the kind cluster ${name} is not there`, {
        hint: 'bring it up: delos cluster up',
      });
    }
    await run('kind', ['export', 'kubeconfig', '--name', name, '--kubeconfig', kubeconfig]);
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(kubeconfig);
    const server = kubeConfig.getCurrentCluster()?.server ?? '';
    const reader = readCluster(kubeConfig, server);
    const mapped = tryReadJson(portsPath, portsFile)?.ports ?? [];
    return {
      kind: 'kind',
      kubeconfig,
      context: `kind-${name}`,
      server,
      apiServer: await reader.apiServer(),
      dnsAddresses: [],
      networks: await reader.networks(),
      storageClass: config.cluster.storageClass ?? (await reader.tryDefaultStorageClass()),
      diskClass: await reader.tryDefaultStorageClass(),
      lacksUserNamespaces: lacksUserNamespaces(await reader.version(), await reader.nodeFacts()),
      images: {
        kind: 'load',
        load: async (archive) => {
          await run('kind', ['load', 'image-archive', archive, '--name', name], CREATE_LIMIT);
        },
      },
      async exposeLoopback(ports) {
        return ports.map(({ host, node }) => {
          const port = mapped.find((each) => each.node === node && (host === 0 || each.host === host));
          if (port !== undefined) return port;
          throw new DelosError('ERR_PORT_TAKEN', `kind does not map port ${host} to node port ${node}`, {
            hint: 'ports are settled when the cluster is made: delos cluster down, then delos cluster up',
          });
        });
      },
    };
  }

  return {
    kind: 'kind',
    prepare: () => Promise.resolve(),

    async up(_config: PlatformConfig, progress: Progress) {
      await requireDocker(env);
      writeHosts(hosts, hostsOfSite(config.images.mirrors), KIND_HOSTS);
      if (await exists()) {
        // After a restart of the engine the nodes may be stopped.
        const nodes = (await run('kind', ['get', 'nodes', '--name', name])).split('\n').filter((line) => line !== '');
        if (nodes.length > 0) await run('docker', ['start', ...nodes.map((node) => node.trim())]);
      } else {
        progress.step(`kind: making cluster ${name}`);
        const text = renderKindConfig(config, await settlePorts(), hosts);
        const args = [
          'create',
          'cluster',
          '--name',
          name,
          '--config',
          '-',
          '--kubeconfig',
          kubeconfig,
          '--wait',
          '180s',
        ];
        await run('kind', args, CREATE_LIMIT, text);
      }
      return handle();
    },
    async down(_options, progress) {
      if (!(await exists())) return;
      progress.step(`kind: deleting cluster ${name}`);
      await run('kind', ['delete', 'cluster', '--name', name, '--kubeconfig', kubeconfig], 180_000);
      if (await exists()) throw new DelosError('ERR_TIMEOUT', `kind still lists cluster ${name} after deleting it`);
    },
    async status() {
      if (!(await exists())) return undefined;
      const { server } = await handle();
      const kubeConfig = new KubeConfig();
      kubeConfig.loadFromFile(kubeconfig);
      const reader = readCluster(kubeConfig, server);
      return { kind: 'kind', server, version: await reader.version(), nodes: await reader.nodes(), parts: [] };
    },
    handle,
  };
}

/** @throws DelosError ERR_TOOL_UNAVAILABLE when no Docker engine answers or `kind` is not there */
async function requireDocker(env: NodeJS.ProcessEnv): Promise<void> {
  const docker = await tryCommand('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 10_000, env });
  if (docker.code !== 0) {
    throw new DelosError('ERR_TOOL_UNAVAILABLE', `no Docker engine answers: ${docker.stderr.trim().split('\n')[0]}`, {
      hint: 'start it (`docker info` has to answer), or use cluster.engine: embedded, which needs none',
    });
  }
  const kind = await tryCommand('kind', ['version'], { timeout: 10_000, env });
  if (kind.code !== 0) {
    throw new DelosError('ERR_TOOL_UNAVAILABLE', 'the command kind is not on PATH', {
      hint: 'install it (https://kind.sigs.k8s.io), or use cluster.engine: embedded, which needs none',
    });
  }
}
