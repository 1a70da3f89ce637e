import { DelosError, type InstancePaths } from '@delos/core';
import { findByArgument, waitUntil } from '@delos/host';
import type { NodeControl } from '../engine.ts';
import { nodeName } from './host/addresses.ts';
import { nodeMarker } from './host/marks.ts';
import { change, readWanted, type WantedNodes, writeWanted } from './host/wanted.ts';
import { layoutOf, type NodeSpec, readMembers } from './spec.ts';
import { endProcesses } from './start.ts';
import { tryReadHostStatus } from './status.ts';
import { waitForCluster } from './wait.ts';

/** `host` looks once a second. */
const TAKEN_OVER_MS = 20_000;

/** Ends single nodes and brings them back, as a machine that loses its power or its network. */
export function nodeControl(paths: InstancePaths): NodeControl {
  const layout = layoutOf(paths.state);

  function find(name: string): NodeSpec {
    const members = readMembers(paths);
    const found = members.find(({ index }) => nodeName(index) === name);
    if (found !== undefined) return found;
    const names = members.map(({ index }) => nodeName(index));
    throw new DelosError('ERR_NOT_FOUND', `instance ${paths.instance} has no node ${JSON.stringify(name)}`, {
      hint: names.length === 0 ? 'bring the cluster up: delos cluster up' : `its nodes: ${names.join(', ')}`,
    });
  }

  /** Asks it of `host`, and waits until that has done it. */
  async function ask(list: keyof WantedNodes, { index }: NodeSpec, within: boolean): Promise<void> {
    if (tryReadHostStatus(layout) === undefined) {
      throw new DelosError('ERR_NOT_UP', `the cluster of instance ${paths.instance} is not up`, {
        hint: 'bring it up: delos cluster up',
      });
    }
    writeWanted(layout.wanted, change(readWanted(layout.wanted), list, index, within));
    const done = () => tryReadHostStatus(layout)?.wanted?.[list].includes(index) === within;
    if (await waitUntil(done, TAKEN_OVER_MS)) return;
    throw new DelosError('ERR_TIMEOUT', `the host process has not taken it over within ${TAKEN_OVER_MS / 1000} s`, {
      hint: `repair the cluster: delos cluster up; see ${layout.logs}/host.log`,
    });
  }

  return {
    async stop(name) {
      const node = find(name);
      await ask('stopped', node, true);
      await endProcesses([nodeMarker(paths.state, node.index)]);
    },
    async start(name, progress) {
      const node = find(name);
      await ask('stopped', node, false);
      await waitForCluster([node], progress);
    },
    async cut(name) {
      await ask('cut', find(name), true);
    },
    async mend(name, progress) {
      const node = find(name);
      await ask('cut', node, false);
      if (findByArgument(nodeMarker(paths.state, node.index)).length > 0) await waitForCluster([node], progress);
    },
  };
}
