import { readFileSync, watchFile } from 'node:fs';
import { join } from 'node:path';
import { tryRead, writeAtomic } from '@delos/host';
import { openApi } from '../api.ts';
import { layoutOf, type NodeSpec, nodeSpec, specHash } from '../spec.ts';
import type { NodeState } from '../status.ts';
import { addAddons, keepNode, watchDns } from './keep.ts';
import { partsOf } from './parts.ts';
import { supervise } from './supervisor.ts';

/*
 * A node's supervisor: runs the parts, keeps the Node's labels and fake resources; the first node's applies the add-ons. It
 * is started by node-init.sh and started again when it ends; everything it knows is on disk or in the API server.
 */
const state = process.argv[2];
const index = Number(process.argv[3] ?? '1');
if (state === undefined) throw new Error('usage: node.ts STATE [INDEX]');
const layout = layoutOf(state, index);
const first = index === 1;
const read = (): NodeSpec => nodeSpec.parse(JSON.parse(readFileSync(layout.spec, 'utf8')));
let spec = read();
const hash = specHash(spec);

const began = new Date().toISOString();
// They are the first node's matter.
let addons = first ? 'waiting' : 'ready';
let addonNodes: number | undefined;
let dns = 'waiting';
let node: NodeState | undefined;
let written = '';
const supervisor = supervise(partsOf(spec), layout.logs, readFileSync(join(layout.pki, 'ca.crt')), publish);

function publish(): void {
  const status = { pid: process.pid, specHash: hash, began, addons, addonNodes, dns, node, parts: supervisor.status() };
  const text = JSON.stringify(status, null, 1);
  if (text === written) return;
  try {
    writeAtomic(layout.nodeStatus, text);
    written = text;
  } catch (error) {
    // A full disk is no reason to end every part: the next change tries again.
    console.error(`status not written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

watchFile(layout.spec, { interval: 1000, persistent: false }, () => {
  if (tryRead(layout.spec) !== undefined) spec = read();
});

const api = openApi(spec, 'supervisor');
const serving = (): boolean => !first || supervisor.isReady('kube-apiserver');
if (first) {
  void addAddons(
    () => spec,
    api,
    serving,
    (text, used) => {
      addons = text;
      addonNodes = used.nodes;
      publish();
    },
  );
}
void watchDns(
  () => spec,
  (text) => {
    dns = text;
    publish();
  },
);
void keepNode(
  () => spec,
  api,
  serving,
  (state) => {
    node = state;
    publish();
  },
);
