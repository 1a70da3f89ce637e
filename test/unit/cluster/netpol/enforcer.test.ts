import { expect, test } from 'vitest';
import { Enforcer } from '../../../../cluster/src/netpol/enforcer.ts';
import { renderChange, renderTable, type Table } from '../../../../cluster/src/netpol/table.ts';
import { NftSimulator } from './simulator.ts';

const HOOK = 'type filter hook forward priority filter + 8; policy accept;';

function table(...known: readonly string[]): Table {
  return {
    name: 'npol',
    sets: new Map([['known', { type: 'ipv4_addr', elements: new Set(known) }]]),
    maps: new Map([['ing', new Map()]]),
    chains: new Map([['gate', { hook: HOOK, rules: ['ip daddr != @known counter drop'] }]]),
  };
}

/** A kernel that keeps what it is given, and what it was asked. */
function kernel() {
  const nft = new NftSimulator();
  const scripts: string[] = [];
  let present: Table | undefined;
  let failures = 0;
  let wanted = table();
  const log: string[] = [];
  const enforcer = new Enforcer({
    log: (message) => log.push(message),
    wanted: () => wanted,
    nft: {
      async apply(script) {
        await Promise.resolve();
        scripts.push(script);
        if (failures > 0) {
          failures--;
          throw new Error('refused');
        }
        nft.run(script);
        present = wanted;
      },
      list: async () => present,
    },
  });
  return {
    enforcer,
    nft,
    scripts,
    log,
    want: (next: Table) => {
      wanted = next;
    },
    fail: (times: number) => {
      failures = times;
    },
    /** Somebody else's hand. */
    tamper: (next: Table | undefined) => {
      present = next;
      if (next !== undefined) nft.run(renderTable(next));
    },
  };
}

const known = (nft: NftSimulator) => [...(nft.state.sets.get('known')?.elements ?? [])].sort();

test('the first flush gives the whole table, the next one only the change', async () => {
  const { enforcer, nft, scripts, want } = kernel();
  want(table('10.0.0.2'));
  await enforcer.flush();
  want(table('10.0.0.2', '10.0.0.3'));
  await enforcer.flush();
  expect(known(nft)).toEqual(['10.0.0.2', '10.0.0.3']);
  expect(scripts).toEqual([renderTable(table('10.0.0.2')), 'add element inet npol known { 10.0.0.3 }\n']);
});

test('a flush without a change asks nothing of the kernel', async () => {
  const { enforcer, scripts } = kernel();
  await enforcer.flush();
  await enforcer.flush();
  expect(scripts).toHaveLength(1);
});

test('flushes that come while one runs share the next, which has what all of them wanted', async () => {
  const { enforcer, nft, scripts, want } = kernel();
  const first = enforcer.flush();
  const later = ['10.0.0.2', '10.0.0.3', '10.0.0.4'].map((_, index, all) => {
    want(table(...all.slice(0, index + 1)));
    return enforcer.flush();
  });
  await Promise.all([first, ...later]);
  expect(scripts).toHaveLength(2);
  expect(known(nft)).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4']);
});

test('a change that does not fit is followed by the whole table', async () => {
  const { enforcer, nft, want, fail } = kernel();
  await enforcer.flush();
  fail(1);
  want(table('10.0.0.2'));
  await enforcer.flush();
  expect(known(nft)).toEqual(['10.0.0.2']);
  expect(enforcer.counters).toMatchObject({ wholeTables: 2, failures: 0 });
});

test('when nothing can be loaded the flush fails, is counted, and the next one starts from the whole', async () => {
  const { enforcer, nft, scripts, want, fail } = kernel();
  await enforcer.flush();
  fail(2);
  want(table('10.0.0.2'));
  await expect(enforcer.flush()).rejects.toThrow('refused');
  expect(known(nft)).toEqual([]);
  expect(enforcer.counters).toMatchObject({ failures: 1, lastError: 'refused' });
  await enforcer.flush();
  expect(scripts.at(-1)).toBe(renderTable(table('10.0.0.2')));
  expect(enforcer.counters.lastError).toBeUndefined();
});

test.each([
  ['a table that is gone', undefined],
  ['an element too many', table('10.0.0.2', '10.0.0.66')],
  ['a rule too few', { ...table('10.0.0.2'), chains: new Map([['gate', { hook: HOOK, rules: [] }]]) }],
])('an audit repairs %s, and says so once', async (_, found) => {
  const { enforcer, nft, want, tamper } = kernel();
  want(table('10.0.0.2'));
  await enforcer.flush();
  tamper(found);
  await enforcer.audit('npol');
  await enforcer.audit('npol');
  expect(known(nft)).toEqual(['10.0.0.2']);
  expect(nft.state.chains.get('gate')?.rules).toHaveLength(1);
  expect(enforcer.counters.drifts).toBe(1);
});

test('a table that a former process left is taken over as it is', async () => {
  const { enforcer, scripts, want, tamper } = kernel();
  tamper(table('10.0.0.2'));
  want(table('10.0.0.2'));
  await enforcer.adopt('npol', table());
  await enforcer.flush();
  expect(scripts).toEqual([]);
});

test('without a table, the closed one stands until all is known', async () => {
  const { enforcer, scripts } = kernel();
  await enforcer.adopt('npol', table());
  expect(scripts).toEqual([renderTable(table())]);
  expect(renderChange(enforcer.applied ?? table('none'), table())).toBe('');
});
