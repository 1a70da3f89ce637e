import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findByArgument, isAlive, type ProcessIdentity } from '@delos/host';
import { ensureCgroup, removeCgroup } from '../node/cgroups.ts';
import { layoutOf, type NodeSpec } from '../spec.ts';
import { type Addresses, addressesOf } from './addresses.ts';
import { ensureLink, ensureNodeEnd, ensureRoutes, hasLink } from './host-network.ts';
import { cgroupOf, nodeMarker, tryFindInit } from './marks.ts';
import { ensureNodeTable } from './tables.ts';

/** One node of the instance, as `host` keeps it: started where there is none, joined to the machine, and never ended. */
export class Member {
  readonly index: number;
  spec: NodeSpec;
  init: ProcessIdentity | undefined;
  /** What is amiss; empty when nothing is. */
  message = '';
  /** The nodes for which its table and routes were written last. */
  #peers = '';

  constructor(spec: NodeSpec) {
    this.spec = spec;
    this.index = spec.index;
  }

  get addresses(): Addresses {
    return addressesOf(this.spec.number, this.index);
  }

  get runs(): boolean {
    return isAlive(this.init);
  }

  /**
   * Does what is missing.
   * @param nodes all nodes of the instance @param again looks also at what seldom goes wrong
   */
  async keep(nodes: readonly Addresses[], again: boolean): Promise<void> {
    const { addresses, spec } = this;
    const peers = nodes.map(({ index }) => index).join();
    if (this.runs && hasLink(addresses) && peers === this.#peers && !again) return;
    if (!this.runs || !hasLink(addresses) || peers !== this.#peers) {
      const init = await this.#ensureInit();
      await ensureLink(addresses, init.pid, spec.mtu, spec.state);
      // Before it has a way out.
      await ensureNodeTable(init.pid, addresses, nodes);
      await ensureNodeEnd(addresses, init.pid);
      this.#peers = peers;
    }
    await ensureRoutes(addresses, nodes.length > 1);
  }

  async #ensureInit(): Promise<ProcessIdentity> {
    const { spec, index } = this;
    this.init = tryFindInit(spec.state, index);
    if (this.init !== undefined) return this.init;
    // A node that is about to fork its first process is not started a second time.
    if (findByArgument(nodeMarker(spec.state, index)).length === 0) this.#start();
    const limit = performance.now() + 10_000;
    while (performance.now() < limit) {
      this.init = tryFindInit(spec.state, index);
      if (this.init !== undefined) return this.init;
      await sleep(20);
    }
    throw new Error(`the node did not start within 10 s: see ${layoutOf(spec.state, index).logs}/node.log`);
  }

  #start(): void {
    const { spec, index, addresses } = this;
    const layout = layoutOf(spec.state, index);
    // The kubelet loses seconds on each container group whose processes are gone.
    removeCgroup(cgroupOf(spec.instance, index));
    ensureCgroup(cgroupOf(spec.instance, index));
    // The last words of an earlier node are not true of this one.
    rmSync(layout.nodeStatus, { force: true });
    for (const folder of ['kubelet', 'containerd', 'cni', 'volumes', 'nodeLog', 'logs', 'scratch'] as const) {
      mkdirSync(layout[folder], { recursive: true, mode: folder === 'volumes' ? 0o711 : 0o700 });
    }
    const log = openSync(join(layout.logs, 'node.log'), 'a', 0o600);
    const { cniPlugins, cniGate, node } = spec.tools;
    const child = spawn(
      'unshare',
      [
        ...['--net', '--mount', '--pid', '--fork', '--mount-proc', '--propagation', 'private'],
        ...['sh', join(import.meta.dirname, '../node-init.sh'), nodeMarker(spec.state, index)],
        ...[spec.state, String(index), layout.home, layout.scratch],
        ...[node, join(import.meta.dirname, '../node/node.ts')],
        ...[addresses.podGateway, addresses.podCidr],
        ...[cniPlugins, ...(cniGate === null ? [] : [cniGate])],
      ],
      { stdio: ['ignore', log, log], detached: true, cwd: '/' },
    );
    child.on('error', (error) => {
      this.message = `the node does not start: ${error.message}`;
    });
    child.unref();
    closeSync(log);
  }
}
