import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closedTable } from '../../../../cluster/src/netpol/compile.ts';
import { parseListing } from '../../../../cluster/src/netpol/listing.ts';
import { renderChange, renderTable, type Table } from '../../../../cluster/src/netpol/table.ts';
import { execute, expectOk } from '../../../../peers/src/command.ts';
import { node, table } from '../../../unit/cluster/netpol/table.ts';
import { change, world } from '../../../unit/cluster/netpol/worlds.ts';

/* The kernel's own nftables, each time in an empty network namespace that ends with the command. */

/** Loads each script in turn, and reads back what the kernel then has. */
async function kernel(...scripts: readonly string[]): Promise<Table> {
  const load = scripts.map((_, index) => `printf %s "$${index + 1}" | nft -f - && `).join('');
  const command = ['unshare', '--net', 'sh', '-ec', `${load} nft -s list table inet npol`, 'sh', ...scripts];
  return parseListing(await expectOk(execute(command)));
}

test('the kernel takes every table, and lists it as it was given', async () => {
  await fc.assert(
    fc.asyncProperty(world, async (of) => {
      expect(renderChange(await kernel(renderTable(table(of))), table(of))).toBe('');
    }),
    { numRuns: 40 },
  );
});

test('the kernel takes every change, and then lists the other table', async () => {
  await fc.assert(
    fc.asyncProperty(change, async ([from, to]) => {
      const script = renderChange(table(from), table(to));
      expect(renderChange(await kernel(renderTable(table(from)), script ?? 'never'), table(to))).toBe('');
    }),
    { numRuns: 40 },
  );
});

test('a table is replaced by the whole of another', async () => {
  await fc.assert(
    fc.asyncProperty(change, async ([from, to]) => {
      expect(renderChange(await kernel(renderTable(table(from)), renderTable(table(to))), table(to))).toBe('');
    }),
    { numRuns: 10 },
  );
});

test('the closed table is taken', async () => {
  expect(renderChange(await kernel(renderTable(closedTable(node))), closedTable(node))).toBe('');
});
