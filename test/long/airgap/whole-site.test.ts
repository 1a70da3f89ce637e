import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { bundleOfCheckout, type NextRelease, onClosedMachine } from '../../support/airgap/closed-machine.ts';
import { unpackedDebian } from '../../support/debian/unpacked.ts';
import { debianFolder } from '../../support/machine/debian-machine.ts';

/*
 * A whole site from one bundle, where nothing can be reached: a bare Debian becomes the auxiliary machine and is filled, a cluster runs on what
 * lies there, and somebody installs the client from there and runs an image that was pushed there.
 */

const INSTANCE = `${(process.env.DELOS_TEST_INSTANCE ?? 'delos-test').slice(0, 8)}-s`;
const MAIN = 'runtime/service/src/main.ts';
const START = `await main(process.argv[2] ?? '');`;
const changed = (how: string) => ({ [MAIN]: (text: string): string => text.replace(START, `${how}\n${START}`) });
const BROKEN: NextRelease = {
  name: 'broken',
  version: '0.2.1',
  changes: changed(`if (process.argv[2] === 'scheduler') throw new Error('broken by a test');`),
};
const NEXT: NextRelease = { name: 'next', version: '0.2.2', changes: changed('// Another runtime.') };
const up = z.object({ firstJob: z.object({ output: z.string() }) });
const difference = z.object({ changed: z.array(z.object({ kind: z.string(), after: z.string() })) });
const counted = z.object({ wheels: z.number(), uploads: z.number(), manifests: z.number() });

/** References of one image among rows of what is deployed. */
const imagesOnly = (rows: string, name: string): readonly string[] => [
  ...new Set(rows.match(new RegExp(`\\S+/delos/${name}:\\S+`, 'g')) ?? []),
];

test('a site is made, used, upgraded, brought back and taken away from one bundle and two deltas, and no packet leaves it', async () => {
  const work = await mkdtemp(join(tmpdir(), 'delos-site-'));
  const read = async (name: string): Promise<string> => (await readFile(join(work, name), 'utf8')).trim();
  try {
    await bundleOfCheckout(work, [BROKEN, NEXT]);
    // Neither Python nor nftables: these come from the bundle.
    const packages = ['systemd', 'systemd-sysv', 'dbus', 'iproute2', 'openssh-server'];
    const base = await debianFolder('debian-bare-1', packages);
    await expectOk(execute(['cp', '-a', '--reflink=auto', base, join(work, 'aux')], { timeout: 300 }));
    await expectOk(execute(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', join(work, 'key')]));
    await mkdir(join(work, 'aux/root/.ssh'), { mode: 0o700, recursive: true });
    await cp(join(work, 'key.pub'), join(work, 'aux/root/.ssh/authorized_keys'));
    const nspawn = await unpackedDebian({
      name: 'systemd-container',
      packages: () => ['systemd-container'],
      libraries: /^libsystemd-shared$/,
    });
    await expectOk(execute(['cp', '-a', nspawn.root, join(work, 'nspawn')]));
    const own = (path: string): string => path.replaceAll(nspawn.root, join(work, 'nspawn'));
    const libraries = `${join(work, 'nspawn/usr/lib/x86_64-linux-gnu/systemd')}:${own(nspawn.env.LD_LIBRARY_PATH ?? '')}`;

    const { code, stderr } = await onClosedMachine('whole-site.sh', work, INSTANCE, { NSPAWN_LIBRARIES: libraries });
    const logs = await Promise.all(
      ['steps', 'delos.log', 'apt.log', 'job.log'].map((name) => read(name).catch(() => '')),
    );
    expect(code, [stderr, ...logs.map((log) => log.slice(-3000))].join('\n')).toBe(0);

    // Everything that pip and the nodes got came from the machine.
    const first = counted.parse(JSON.parse(await read('import.json')));
    expect(first.wheels).toBeGreaterThan(50);
    expect(first.uploads).toBeGreaterThan(100);
    expect(JSON.parse(await read('import-again.json'))).toMatchObject({ wheels: 0, uploads: 0, manifests: 0 });
    const images = (await read('images')).split('\n').filter((line) => line.startsWith('delos '));
    expect(images.length).toBeGreaterThan(3);
    for (const each of images.flatMap((line) => line.split(' ').slice(1))) {
      expect(each).toMatch(/^aux\.site\.test\/registry\.delos\.internal\/delos\/[a-z-]+:[^@]+@sha256:[0-9a-f]{64}$/);
    }
    expect(up.parse(JSON.parse(await read('up.json'))).firstJob.output).toContain('Hello from');
    expect(await read('job.log')).toContain('ran from the site');
    // Each delta has the one image that is otherwise, and what did not work has left nothing.
    const before = await read('deployed.before');
    const later = await read('deployed.next');
    expect(await read('upgrade-broken.log')).toMatch(/scheduler/);
    expect(await read('deployed.back')).toBe(before);
    expect(imagesOnly(later, 'runtime')).not.toEqual(imagesOnly(before, 'runtime'));
    expect(imagesOnly(later, 'postgres')).toEqual(imagesOnly(before, 'postgres'));
    expect(await read('job-next.log')).toContain('ran after the upgrade');
    expect(await read('deployed.rolled')).toBe(before);
    expect(await read('job-rolled.log')).toContain('ran after the rollback');
    const { changed: otherwise } = difference.parse(JSON.parse(await read('diff.json')));
    expect(otherwise.filter(({ kind }) => kind === 'image').map(({ after }) => after)).toEqual([
      expect.stringContaining('/delos/runtime:'),
    ]);
    for (const each of ['broken', 'next']) {
      expect(counted.parse(JSON.parse(await read(`import-${each}.json`))).uploads).toBeLessThan(20);
    }
    expect(await read('fetched').catch(() => '')).toBe('');
    // The recorder sees one datagram, and nothing else leaves.
    const sent = await Promise.all(
      ['before', 'control', 'after'].map(async (each) => Number(await read(`sent.${each}`))),
    );
    expect(sent).toEqual([0, 1, 1]);
    // What is taken away leaves nothing.
    expect(await read('listing.after')).toBe(await read('listing.before'));
    console.info(await read('steps'));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
});
