import { resolve } from 'node:path';
import { difference, readIndexUnsigned, tryComponents, versionChanges } from '@delos/airgap';
import type { CommandContext } from '../../context.ts';
import { table } from '../../table.ts';
import { faultTold } from './fault-told.ts';
import { mebibytes } from './words.ts';

/** What a bundle has, lacks and has otherwise than another. Signatures are not judged: nothing follows from it. */
export async function run(context: CommandContext, before: string, after: string): Promise<void> {
  const read = (given: string) => faultTold(resolve(given), () => readIndexUnsigned(resolve(given)));
  const [one, two] = [await read(before), await read(after)];
  const { added, removed, changed, same, blobs, bytes } = difference(one.index, two.index);
  const rows = [
    ...added.map(({ kind, name }) => ['+', kind, name]),
    ...removed.map(({ kind, name }) => ['-', kind, name]),
    ...changed.map(({ before: old, after: young }) => [
      '~',
      young.kind,
      old.name === young.name ? young.name : `${old.name} → ${young.name}`,
    ]),
  ];
  const software: { image: string; packages: ReturnType<typeof versionChanges> }[] = [];
  for (const { before: old, after: young } of changed.filter((each) => each.after.kind === 'image')) {
    const [was, is] = [
      await tryComponents(resolve(before), one.index, old),
      await tryComponents(resolve(after), two.index, young),
    ];
    if (was !== undefined && is !== undefined) software.push({ image: young.name, packages: versionChanges(was, is) });
  }
  const versions = software.flatMap(({ image, packages }) =>
    packages.map((each) => [image, each.type, each.name, each.before.join(', '), each.after.join(', ')]),
  );
  const summary = `${same} items are the same; ${blobs} blobs, ${mebibytes(bytes)}, are in the second alone`;
  context.result(
    {
      before: one.digest,
      after: two.digest,
      added: added.map(({ kind, name }) => ({ kind, name })),
      removed: removed.map(({ kind, name }) => ({ kind, name })),
      changed: changed.map(({ before: old, after: young }) => ({
        kind: young.kind,
        before: old.name,
        after: young.name,
      })),
      ...{ same, blobs, bytes, software },
    },
    [
      ...(rows.length === 0 ? [] : [table(['', 'KIND', 'NAME'], rows)]),
      ...(versions.length === 0 ? [] : [table(['IMAGE', 'KIND', 'PACKAGE', 'BEFORE', 'AFTER'], versions)]),
      summary,
    ].join('\n\n'),
  );
}
