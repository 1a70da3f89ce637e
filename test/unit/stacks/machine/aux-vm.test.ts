import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { auxVmConfig, userData } from '@delos/stacks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { outputsOf } from '../../../../stacks/src/aux-vm/outputs.ts';
import { partsOf } from '../../../../stacks/src/aux-vm/parts.ts';
import type { Programs } from '../../../../stacks/src/aux-vm/programs.ts';
import { auxVmSecrets } from '../../../../stacks/src/aux-vm/secrets.ts';

const HOST_KEY = `ssh-ed25519 ${'A'.repeat(68)}`;
const MINIMAL = { domain: 'aux.site.test', address: '10.0.0.5', ssh: { hostKey: HOST_KEY } };
const PROGRAMS: Programs = {
  file: (name) => ({ mode: 0o755, content: { source: `/programs/${name}`, sha256: 'a'.repeat(64) } }),
  devpi: { source: '/programs/devpi', digest: 'b'.repeat(64) },
};
const DAY_MS = 86_400_000;
const NOW = new Date('2026-11-30T12:00:00Z');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delos-aux-vm-unit-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const config = (more: object = {}) => auxVmConfig.parse({ ...MINIMAL, ...more });
const parts = async (more: object = {}, now = NOW) =>
  partsOf(config(more), await auxVmSecrets(config(more), folder, now), PROGRAMS);
const textOf = async (more: object, path: string): Promise<string> => {
  const file = (await parts(more)).flatMap(({ files }) => files[path] ?? [])[0];
  return file !== undefined && 'text' in file.content ? file.content.text : '';
};

describe('the file of a machine', () => {
  test.each([
    [{ domain: 'localhost' }, 'domain'],
    [{ address: 'aux.site.test' }, 'address'],
    [{ ssh: { hostKey: 'anything' } }, 'ssh.hostKey'],
    [{ ssh: { hostKey: HOST_KEY, host: '-oProxyCommand=x' } }, 'ssh.host'],
    [{ ssh: { hostKey: HOST_KEY, user: 'root; reboot' } }, 'ssh.user'],
    [{ firewall: { from: ['10.0.0.0/64'] } }, 'firewall.from.0'],
    [
      { dns: { zones: [{ name: 'ai.test', address: '10.0.0.1', records: { 'a b': '10.0.0.1' } }] } },
      'dns.zones.0.records.a b',
    ],
    [{ packages: { mirror: 'file:///etc/passwd' } }, 'packages.mirror'],
    [{ password: 'x' }, ''],
  ])('%j is refused', (more, path) => {
    const { error } = auxVmConfig.safeParse({ ...MINIMAL, ...more });
    expect(error?.issues[0]?.path.join('.')).toBe(path);
  });
});

describe('parts', () => {
  test('follow from file and secrets alone', async () => {
    expect(await parts()).toEqual(await parts());
  });

  test('are those that are enabled, the firewall last', async () => {
    expect((await parts()).map(({ name }) => name)).toEqual([
      'registry',
      'charts',
      'packages',
      'dns',
      'gateway',
      'firewall',
    ]);
    const fewer = { registry: { enabled: false }, packages: { enabled: false }, firewall: { enabled: false } };
    expect((await parts(fewer)).map(({ name }) => name)).toEqual(['charts', 'dns', 'gateway']);
  });

  test('hold secrets in files that only root reads, and each unit that serves is confined', async () => {
    const { password } = await auxVmSecrets(config(), folder, NOW);
    for (const { files } of await parts()) {
      for (const [path, { mode, content }] of Object.entries(files)) {
        const text = 'text' in content ? content.text : '';
        if (text.includes(password) || text.includes('PRIVATE KEY')) expect([path, mode]).toEqual([path, 0o600]);
        if (path.endsWith('.service') && !path.includes('firewall')) {
          for (const line of ['DynamicUser=yes', 'ProtectSystem=strict', 'NoNewPrivileges=yes', 'MemoryMax=']) {
            expect([path, text]).toEqual([path, expect.stringContaining(line)]);
          }
        }
      }
    }
  });

  test('let in ssh whatever the file says, and the services from where it says', async () => {
    const rules = '/etc/delos-aux/firewall/rules.nft';
    expect(await textOf({ ssh: { hostKey: HOST_KEY, port: 2222 }, firewall: { from: ['10.0.0.0/8'] } }, rules)).toMatch(
      /policy drop;[\s\S]*tcp dport \{ 22, 2222 \} accept\n\s*ip saddr \{ 10\.0\.0\.0\/8 \} tcp dport 443 accept/,
    );
    expect(await textOf({ dns: { enabled: false } }, rules)).not.toContain('53');
  });

  test('have zones whose serial changes with them and only then', async () => {
    const zone = (address: string) => ({ dns: { zones: [{ name: 'ai.test', address }] } });
    const path = '/etc/delos-aux/dns/ai.test.zone';
    const [one, same, other] = [
      await textOf(zone('10.0.0.1'), path),
      await textOf(zone('10.0.0.1'), path),
      await textOf(zone('10.0.0.2'), path),
    ];
    expect(one).toContain('\n* IN A 10.0.0.1\n');
    expect(one).toBe(same);
    const serial = (text: string) => /SOA \S+ \S+ (\d+)/.exec(text)?.[1];
    expect(serial(one)).not.toBe(serial(other));
  });
});

describe('the certificate', () => {
  test('is kept, and made anew in the last third of its time', async () => {
    const days = async (later: number) =>
      (await auxVmSecrets(config(), folder, new Date(NOW.getTime() + later * DAY_MS), false)).certificate;
    expect(await days(100)).toBe(await days(0));
    expect(await days(140)).not.toBe(await days(0));
    const leaf = new X509Certificate(await days(0));
    expect(leaf.checkHost('charts.aux.site.test')).toBeDefined();
    expect(leaf.checkIP('10.0.0.5')).toBeDefined();
  });

  test('lies with the other secrets in a file that others cannot read', async () => {
    expect((await stat(join(folder, 'secrets.json'))).mode & 0o077).toBe(0);
    expect(JSON.parse(await readFile(join(folder, 'secrets.json'), 'utf8'))).toHaveProperty('ca.key');
  });
});

test('the schema for editors is the one that files are read by (npx vitest run --project unit -u writes it)', async () => {
  const schema = z.toJSONSchema(auxVmConfig, { io: 'input' });
  const file = join(import.meta.dirname, '../../../../docs/guides/aux-vm.schema.json');
  await expect(`${JSON.stringify(schema, undefined, 2)}\n`).toMatchFileSnapshot(file);
});

test('user data holds all files of a machine, compressed, and names the programs by their digest', async () => {
  const text = userData(await parts(), { from: 'https://files.test/programs.tar', sha256: 'c'.repeat(64) });
  expect(text.startsWith('#cloud-config\n')).toBe(true);
  const { write_files: files } = z
    .object({ write_files: z.array(z.object({ path: z.string(), content: z.string() })) })
    .parse(parse(text));
  const plain = files.map(({ content }) => gunzipSync(Buffer.from(content, 'base64')).toString());
  expect(plain.some((one) => one.includes('policy drop'))).toBe(true);
  expect(plain.at(-1)).toContain(`${'c'.repeat(64)}  programs.tar`);
  // What a cloud takes.
  expect(Buffer.byteLength(text)).toBeLessThan(48 * 1024);
});

test('what others are told of it holds no secret, and nothing that is not there', () => {
  const outputs = outputsOf(config({ charts: { enabled: false } }), 'CA');
  expect(outputs).toMatchObject({ registry: 'aux.site.test', charts: null, dns: '10.0.0.5', authorities: 'CA' });
});
