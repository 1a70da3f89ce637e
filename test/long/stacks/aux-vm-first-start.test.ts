import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { delosJson } from '../../support/instance.ts';
import { AuxVmUnderTest, DOMAIN } from '../../support/machine/aux-vm.ts';
import { until } from '../../support/until.ts';

let vm: AuxVmUnderTest | undefined;
afterAll(() => vm?.stop());

test('cloud-init itself makes a machine at its first start, without a network, and `up` finds nothing to do', async () => {
  const work = await mkdtemp(join(tmpdir(), 'delos-programs-'));
  try {
    const archive = join(work, 'programs.tar');
    const { sha256 } = await delosJson(z.object({ sha256: z.string() }), ['aux-vm', 'programs', '--out', archive]);
    vm = await AuxVmUnderTest.start(async (file, root, address) => {
      await cp(archive, join(root, 'opt/programs.tar'));
      await writeFile(file, stringify({ domain: DOMAIN, address }));
      const from = ['--archive', '/opt/programs.tar', '--sha256', sha256];
      const document = z.object({ userData: z.string() });
      return (await delosJson(document, ['aux-vm', 'cloud-init', '--config', file, ...from])).userData;
    });
    const { machine } = vm;
    await until('cloud-init', 300, async (last) => {
      const { stdout } = await machine.run('cloud-init status --long');
      last(stdout);
      return /status: (done|error)/.test(stdout) ? true : undefined;
    });
    expect(await machine.ok('cloud-init status --long')).toContain('status: done');
    await vm.settled();
    await vm.write({ dns: {} });
    const running = await vm.pids();
    await vm.up();
    expect([await vm.restarted(running), await vm.preview()]).toEqual([[], []]);
    expect((await vm.client('/health')).body.toString()).toBe('ok');
    expect(await machine.ok('ls /var/lib | grep delos-first || true')).toBe('');
  } finally {
    await rm(work, { recursive: true, force: true });
  }
});
