import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addressPods } from '../../cluster/src/netpol/addresses.ts';
import { closedTable, compile } from '../../cluster/src/netpol/compile.ts';
import { tryPrefix } from '../../cluster/src/netpol/ipv4.ts';
import { parseListing } from '../../cluster/src/netpol/listing.ts';
import { parseNamespace, parsePod, parsePolicy } from '../../cluster/src/netpol/parse.ts';
import { renderChange, renderTable, type Table } from '../../cluster/src/netpol/table.ts';
import { execute, expectOk } from '../support/command.ts';
import type { World } from '../unit/cluster/netpol-judge.ts';
import { change, world } from '../unit/cluster/netpol-worlds.ts';

/* The kernel's own nftables, each time in an empty network namespace that ends with the command. */

const podCidr = tryPrefix('10.202.0.0/24');
if (podCidr === undefined) throw new Error('prefix');
const node = { table: 'npol', podCidr, podInterfaces: 'veth*' };

function table(from: World): Table {
  return compile(
    {
      namespaces: from.namespaces.map(parseNamespace),
      pods: addressPods(from.pods.map(parsePod), [], new Set()),
      policies: from.policies.map(parsePolicy),
    },
    node,
  );
}

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
