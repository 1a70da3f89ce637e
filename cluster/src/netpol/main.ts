#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { DelosError } from '@delos/core';
import { KubeClient, kubeconfigAccess } from '@delos/kube';
import { Agent } from './agent.ts';
import { DEFAULT_SOCKET, DEFAULT_STATE } from './client.ts';
import { tryPrefix } from './ipv4.ts';
import { nft } from './nft.ts';

const USAGE =
  'usage: main.ts --kubeconfig FILE --pod-cidr CIDR [--socket PATH] [--state FOLDER] [--table NAME] [--pod-interfaces PATTERN]';

function log(message: string): void {
  process.stderr.write(`${new Date().toISOString()} netpol: ${message}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kubeconfig: { type: 'string' },
      'pod-cidr': { type: 'string' },
      socket: { type: 'string', default: DEFAULT_SOCKET },
      state: { type: 'string', default: DEFAULT_STATE },
      table: { type: 'string', default: 'delos_netpol' },
      'pod-interfaces': { type: 'string', default: 'veth*' },
    },
  });
  const { socket, state, table, 'pod-interfaces': podInterfaces } = values;
  const kubeconfig = values.kubeconfig ?? process.env.KUBECONFIG;
  const cidr = values['pod-cidr'] ?? process.env.DELOS_POD_CIDR;
  if (kubeconfig === undefined || cidr === undefined) {
    throw new DelosError('ERR_USAGE', 'KUBECONFIG or DELOS_POD_CIDR is missing', { hint: USAGE });
  }
  const podCidr = tryPrefix(cidr);
  if (podCidr === undefined) throw new DelosError('ERR_USAGE', `--pod-cidr ${cidr} is not an IPv4 CIDR`);
  // Both go into rules as they are.
  for (const text of [table, podInterfaces]) {
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,14}\*?$/.test(text)) throw new DelosError('ERR_USAGE', `${text} is not accepted`);
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const agent = new Agent({
    api: new KubeClient(kubeconfigAccess(kubeconfig), { fieldManager: 'delos-netpol' }),
    nft,
    node: { table, podCidr, podInterfaces },
    socket,
    state,
    log,
  });
  await agent.run(stop.signal);
}

try {
  await main();
  process.exit(0);
} catch (error) {
  log(error instanceof DelosError ? error.render() : String(error));
  process.exit(error instanceof DelosError ? error.exitCode : 1);
}
