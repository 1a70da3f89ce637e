import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type ClusterEngine, type ClusterHandle, engineFor } from '@delos/cluster';
import { type DelosConfig, delosConfig } from '@delos/constructs';
import { type InstancePaths, instancePaths, silent } from '@delos/core';
import { parse } from 'yaml';
import { layoutOf, type NodeSpec, tryReadSpec } from '../../../cluster/src/embedded/spec.ts';
import { type NodeStatus, tryReadNodeStatus } from '../../../cluster/src/embedded/status.ts';
import { TEST_CONFIG, TEST_INSTANCE } from '../instance.ts';
import { noteUse } from './cluster-used.ts';
import { nodeProcesses } from './node.ts';

/** An embedded cluster of the tests, with what they need to look behind it. */
export interface TestCluster {
  readonly paths: InstancePaths;
  readonly engine: ClusterEngine;
  readonly handle: ClusterHandle;
  readonly spec: NodeSpec;
  /** kubectl's stdout. @throws Error with its stderr */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** What the node's supervisor says now; undefined while the node is not there. */
  parts(): NodeStatus | undefined;
  /** Ids of the processes of the node's own PID namespace on this machine, by their id within it. */
  processes(): ReadonlyMap<number, number>;
}

/** The tests' own configuration. */
export const testConfig = (): DelosConfig => delosConfig.parse(parse(readFileSync(TEST_CONFIG, 'utf8')));

let shared: Promise<TestCluster> | undefined;

/**
 * The one cluster that all suites of a test run share: started, or repaired, whatever an earlier run has left. Its node
 * belongs to the first pool of the tests' configuration.
 */
export function testCluster(): Promise<TestCluster> {
  shared ??= noteUse().then(() => clusterOf(TEST_INSTANCE));
  return shared;
}

/** Brings up, or repairs, the embedded cluster of any instance. Who makes one of its own takes it down. */
export async function clusterOf(
  instance: string,
  settings: DelosConfig = testConfig(),
  env: NodeJS.ProcessEnv = process.env,
): Promise<TestCluster> {
  const paths = instancePaths(instance, env);
  const engine = await embeddedEngineOf(instance, env);
  const handle = await engine.up(settings, silent);
  const spec = tryReadSpec(paths);
  if (spec === undefined) throw new Error(`no spec in ${paths.state}`);
  const layout = layoutOf(paths.state);
  return {
    paths,
    engine,
    handle,
    spec,
    parts: () => tryReadNodeStatus(layout),
    processes: () => nodeProcesses(layout),
    kubectl: (args, input) => run(spec.tools.kube, ['kubectl', '--kubeconfig', handle.kubeconfig, ...args], input),
  };
}

export function embeddedEngineOf(instance: string, env: NodeJS.ProcessEnv = process.env): Promise<ClusterEngine> {
  const settings = delosConfig.parse({ cluster: { engine: 'embedded' } });
  return engineFor(settings, { paths: instancePaths(instance, env), env });
}

function run(file: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { timeout: 120_000, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${args.slice(3).join(' ')}: ${stderr.trim() || error.message}`));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
