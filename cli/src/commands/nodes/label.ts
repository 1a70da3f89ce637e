import type { NodeDevices, NodePlan } from '@delos/cluster';
import { DelosError, GPU_KINDS, POOL_LABEL } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineFrom } from '../../instance/engine.ts';
import { type Kube, kubeOf } from '../../instance/kube.ts';
import { readSettings } from '../../instance/settings.ts';
import { table } from '../../table.ts';

export interface Options {
  readonly plan: boolean;
  readonly apply: boolean;
  readonly overwrite: boolean;
  readonly config?: string;
  readonly context?: string;
}

/** Says to which pool each node belongs by its devices, and sets the labels by which jobs find it. */
export async function run(context: CommandContext, options: Options): Promise<void> {
  if (options.plan && options.apply) {
    throw new DelosError('ERR_USAGE', '--plan and --apply: one of them', {
      hint: '--plan only shows what --apply does',
    });
  }
  const { devicesOf, lacksOf, nodeObjects, planOf, suggest, suggestionText } = await import('@delos/cluster');
  const { config } = await readSettings(context, options.config);
  const engine = await engineFrom(context, config, options.context);
  const kube = await kubeOf(context, await engine.handle());
  const { items } = await kube.json(nodeObjects, ['get', 'nodes']);
  const nodes = items.map((item) => {
    const devices = devicesOf(item);
    const plan = planOf(devices, config.nodePools);
    const does = plan.verdict === 'label' || (plan.verdict === 'other' && options.overwrite);
    return { devices, plan, labels: does ? plan.labels : {} };
  });
  const changes = nodes.filter(({ labels }) => Object.keys(labels).length > 0);
  if (options.apply) {
    for (const { plan, labels } of changes) await label(kube, plan.node, labels, options.overwrite);
  }
  const without = nodes.filter(({ plan }) => plan.verdict === 'none').map(({ devices }) => devices);
  const taken = [...config.nodePools, ...config.presets].map(({ name }) => name);
  const suggestion = suggest(without, taken);
  const document = {
    applied: options.apply,
    nodes: nodes.map(({ devices, plan, labels }) => ({
      name: devices.name,
      pool: devices.labels[POOL_LABEL] ?? null,
      gpus: devices.gpus,
      ...plan,
      change: labels,
      lacks: lacksOf(devices, config.nodePools),
    })),
    suggested: suggestion,
  };
  const lines = suggestion.nodePools.length === 0 ? '' : suggestionText(suggestion);
  context.result(document, text(document, changes.length, lines));
}

async function label(kube: Kube, node: string, labels: NodePlan['labels'], overwrite: boolean): Promise<void> {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  await kube.text(['label', 'node', node, ...pairs, ...(overwrite ? ['--overwrite'] : [])]);
}

interface Shown {
  readonly applied: boolean;
  readonly nodes: readonly (NodePlan &
    Pick<NodeDevices, 'name' | 'gpus' | 'lacks'> & {
      readonly pool: string | null;
      readonly change: NodePlan['labels'];
    })[];
}

function text({ applied, nodes }: Shown, changes: number, suggested: string): string {
  const rows = nodes.map((node) => [node.name, node.pool ?? '', devices(node), what(node, applied)]);
  const lacks = nodes.flatMap(({ name, lacks: all }) => all.map((each) => `${name}: ${each}`));
  const end =
    changes === 0
      ? 'No label is to be set.'
      : applied
        ? `${changes} ${changes === 1 ? 'node has' : 'nodes have'} new labels.`
        : '`delos nodes label --apply` sets these labels.';
  return [
    table(['NODE', 'POOL', 'DEVICES', 'LABELS'], rows),
    ...(lacks.length === 0 ? [] : ['', ...lacks]),
    ...(suggested === '' ? [] : ['', 'For the nodes that no pool is like, delos.yaml could have:', '', suggested]),
    '',
    end,
  ].join('\n');
}

function devices({ gpus }: Shown['nodes'][number]): string {
  const words = gpus.map(({ field, count, model }) => `${count} × ${model ?? GPU_KINDS[field].vendor}`);
  return words.length === 0 ? 'no GPU' : words.join(', ');
}

function what({ verdict, labels, change, pools }: Shown['nodes'][number], applied: boolean): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  if (Object.keys(change).length > 0) return `${applied ? 'set' : 'to set'}: ${pairs.join(', ')}`;
  if (verdict === 'right') return 'right';
  if (verdict === 'several') {
    return `like ${pools.join(' and ')}: say which, kubectl label node NODE ${POOL_LABEL}=NAME`;
  }
  if (verdict === 'unknown') return 'not known yet: its devices are not announced';
  if (verdict === 'none') return 'no pool of delos.yaml is like it';
  if (pairs.length > 0) return `has others than ${pairs.join(', ')}: --overwrite sets these`;
  return 'it is not like the pool that its label names';
}
