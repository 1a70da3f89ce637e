import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { forwardingToRestore, noteForwarding } from '../../../../cluster/src/embedded/forwarding.ts';
import { temporaryFolder } from '../../../support/setup/temporary-folder.ts';

const home = temporaryFolder('forwarding');
let count = 0;

/** A machine's setting under instances that come and go, each with its own inventory. */
function machine(original: string) {
  const path = join(home, `${count++}.json`);
  const inventories = new Map<number, string>();
  let setting = original;
  return {
    up(instance: number): void {
      if (!inventories.has(instance)) inventories.set(instance, noteForwarding(setting, path));
      setting = '1';
    },
    down(instance: number): void {
      const own = inventories.get(instance);
      inventories.delete(instance);
      if (own !== undefined) setting = forwardingToRestore(own, inventories.size > 0, path) ?? setting;
    },
    setting: () => setting,
    noted: () => existsSync(path),
  };
}

test('two instances that go down in the order in which they came leave the setting as it was', () => {
  const here = machine('0');
  for (const instance of [1, 2]) here.up(instance);
  here.down(1);
  expect(here.setting()).toBe('1');
  here.down(2);
  expect(here.setting()).toBe('0');
});

test('in whatever order instances come and go, it is on while one is up and as it was afterwards', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(3)), { maxLength: 30 });
  fc.assert(
    fc.property(fc.constantFrom('0', '1'), steps, (original, moves) => {
      const here = machine(original);
      const live = new Set<number>();
      for (const [comes, instance] of moves) {
        if (comes) {
          here.up(instance);
          live.add(instance);
        } else {
          here.down(instance);
          live.delete(instance);
        }
        expect(here.setting()).toBe(live.size > 0 ? '1' : original);
      }
      for (const instance of live) here.down(instance);
      expect(here.setting()).toBe(original);
      expect(here.noted()).toBe(false);
    }),
  );
});

test('a note that got lost is made up for by the inventory of whoever goes last', () => {
  expect(forwardingToRestore('0', false, join(home, 'nothing.json'))).toBe('0');
});
