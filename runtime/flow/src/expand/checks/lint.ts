import { childrenOf } from '../../expr/reads.ts';
import type { Node, Part } from '../../expr/syntax.ts';
import { type Block, entriesOf, type Field } from '../../file/block.ts';
import type { FlowFile } from '../../file/parse.ts';
import { tryText } from '../../python/value.ts';
import type { ExpandedTask } from '../expanded-task.ts';
import { isKnown } from '../outcome.ts';

/** Warnings: they never change the verdict. */
export function lint(file: FlowFile, others: readonly FlowFile[], tasks: readonly ExpandedTask[]): void {
  const { block } = file;
  if (block === undefined) return;
  for (const task of tasks) doubleMounts(task);
  // A refused part may have been the use.
  if ([file, ...others].some(({ report }) => report.failed)) return;
  const used = new Set<string>();
  for (const { block: root } of [file, ...others]) if (root !== undefined) collectBlock(root, used);
  for (const [section, code, noun] of [
    ['volumes', 'FLOW_UNUSED_VOLUME', 'volume'],
    ['params', 'FLOW_UNUSED_PARAM', 'parameter'],
  ] as const) {
    for (const [id, entry] of entriesOf(block, section)) {
      if (used.has(`${section}.${id}`) || used.has(`${section}.*`)) continue;
      entry.report.add(code, entry.key ?? entry, `no expression reads the ${noun} \`${id}\``, 'remove it, or use it');
    }
  }
  for (const job of entriesOf(block, 'jobs').values()) {
    for (const [id, param] of entriesOf(job, 'params')) {
      const own = new Set<string>();
      collectBlock(job, own);
      const read =
        own.has(`params.${id}`) ||
        own.has('params.*') ||
        (job.name !== 'job' && used.has(`params.${id}`)) ||
        job.fields.mixins !== undefined;
      if (!read)
        param.report.add(
          'FLOW_UNUSED_PARAM',
          param.key ?? param,
          `no expression reads the parameter \`${id}\``,
          'remove it, or use it',
        );
    }
  }
}

function doubleMounts({ fields, source }: ExpandedTask): void {
  const mounts = new Map<string, string>();
  for (const volume of fields.volumes ?? []) {
    const text = isKnown(volume) ? tryText(volume) : undefined;
    const mount = text === undefined ? undefined : /:(\/[^:]*?)\/?(?::r[ow])?$/.exec(text)?.[1];
    if (text === undefined || mount === undefined) continue;
    const first = mounts.get(mount);
    if (first !== undefined) {
      const at = source.fields.volumes;
      const span = at !== undefined && 'start' in at ? at : { start: source.start, end: source.start + 1 };
      source.report.add(
        'FLOW_DOUBLE_MOUNT',
        span,
        `\`${first}\` and \`${text}\` are both mounted at ${mount}`,
        'mount one of them elsewhere',
      );
    }
    mounts.set(mount, text);
  }
}

/** Dotted names that the expressions of a block read: `volumes.data`; `volumes.*` where one is chosen by a value. */
function collectBlock(block: Block, into: Set<string>): void {
  for (const field of Object.values(block.fields)) collectField(field, into);
}

function collectField(field: Field, into: Set<string>): void {
  switch (field.kind) {
    case 'expr':
    case 'whole':
      collectParts(field.parts, into);
      return;
    case 'list':
      for (const item of field.items) collectParts(item.parts, into);
      return;
    case 'map':
      for (const [, item] of field.entries) collectParts(item.parts, into);
      return;
    case 'block':
      collectBlock(field, into);
      return;
    case 'blocks':
      for (const entry of field.entries.values()) collectBlock(entry, into);
      return;
    case 'tasks':
      for (const task of field.items) collectBlock(task, into);
      return;
    case 'needs':
      for (const [expr] of field.entries) collectParts(expr.parts, into);
      return;
    case 'matrix':
      for (const list of field.products.values()) collectField(list, into);
      for (const row of [...field.include, ...field.exclude])
        for (const expr of row.values()) collectParts(expr.parts, into);
      return;
    default:
  }
}

function collectParts(parts: readonly Part[] | undefined, into: Set<string>): void {
  for (const part of parts ?? []) if (part.kind === 'expression') collectNode(part.node, into);
}

function collectNode(node: Node, into: Set<string>): void {
  if (node.kind === 'lookup') {
    const [first] = node.trailer;
    const name =
      first?.kind === 'attribute' ? first.name : first?.key.kind === 'literal' ? String(first.key.value) : '*';
    into.add(`${node.root}.${name}`);
  }
  for (const child of childrenOf(node)) collectNode(child, into);
}
