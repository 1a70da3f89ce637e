import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UPLOADERS } from '@delos/artifacts';
import { instancePaths } from '@delos/core';
import { auxVmHome } from '@delos/stacks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { execute } from '../../../peers/src/command.ts';
import { pythonClient } from '../../../peers/src/python-client.ts';
import { apply } from '../../../stacks/src/machine/apply.ts';
import { withStamps } from '../../../stacks/src/machine/part.ts';
import { Connection } from '../../../stacks/src/machine/ssh.ts';
import { ask } from '../../support/dns/ask.ts';
import { delos, delosJson, TEST_INSTANCE } from '../../support/instance.ts';
import { killedAfter } from '../../support/killed-command.ts';
import { makeChart } from '../../support/machine/chart.ts';
import { type DebianMachine, debianMachine } from '../../support/machine/debian-machine.ts';
import { trusting } from '../../support/machine/trusting.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { crane } from '../../support/registry/crane.ts';
import { makeWheel } from '../../support/service/wheel.ts';
import { until } from '../../support/until.ts';

/* An auxiliary machine: a real Debian with systemd and without any network but the way to its clients. */

const UNITS = ['registry-tokens', 'registry', 'charts', 'packages', 'dns', 'gateway'].map(
  (name) => `delos-${name}.service`,
);
const DOMAIN = 'aux.site.test';

const document = z.object({
  changed: z.array(z.string()),
  outputs: z.object({ authorities: z.string(), charts: z.string() }),
  authoritiesFile: z.string(),
});
const previewed = z.object({ changed: z.array(z.object({ op: z.string(), part: z.string() })) });
const shown = z.object({ password: z.string() });

let machine: DebianMachine;
let work: string;
let file: string;
let before: string;
let password: string;
let ca: { readonly file: string; readonly text: string };

const configOf = (more: Readonly<Record<string, unknown>> = {}) => ({
  domain: DOMAIN,
  address: machine.address,
  ssh: { keyFile: machine.keyFile, hostKey: machine.hostKey },
  dns: { zones: [{ name: 'ai.site.test', address: '10.9.9.9', records: { db: '10.9.9.8' } }] },
  ...more,
});
const write = (config: unknown): Promise<void> => writeFile(file, stringify(config));
const up = () => delosJson(document, ['aux-vm', 'up', '--config', file]);
const preview = () => delosJson(previewed, ['aux-vm', 'preview', '--config', file]);
const pids = (): Promise<string> => machine.ok(`systemctl show -p Id -p MainPID ${UNITS.join(' ')}`);
const login = (): string => `admin:${password}`;
const client = () => trusting(`https://${machine.address}`, ca.text);

/** All that a machine has, but what changes by itself and what it was told to keep. */
const everything = (): Promise<string> =>
  machine.ok(
    "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path '/var/log/*' -o -path '/var/tmp/*' -o -path '/var/lib/systemd/*' -o -path '/var/lib/private*' -o -path '/var/cache/*' -o -path '/root/.*' \\) -prune -o -printf '%p %y %m %l\\n' | sort; nft list ruleset; systemctl list-unit-files --no-legend 'delos*' || true",
  );

/** Whether a port of the machine takes a connection. */
const opens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: machine.address, port, timeout: 2000 });
    const end = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false));
  });

beforeAll(async () => {
  machine = await debianMachine();
  work = await mkdtemp(join(tmpdir(), 'delos-aux-vm-'));
  file = join(work, 'aux-vm.yaml');
  await write(configOf());
  before = await everything();
});
afterAll(async () => {
  await machine?.stop();
  if (work !== undefined) await rm(work, { recursive: true, force: true });
  await rm(join(auxVmHome(instancePaths(TEST_INSTANCE, process.env)).root, '..'), { recursive: true, force: true });
});

describe('a bare Debian', () => {
  test('is not believed that shows another key', async () => {
    const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    await write({ ...configOf(), ssh: { keyFile: machine.keyFile, hostKey: other } });
    const { code, stderr } = await delos(['aux-vm', 'up', '--config', file]);
    expect([code, stderr]).toEqual([5, expect.stringContaining('shows another key than ssh.hostKey')]);
    await write(configOf());
  });

  test('becomes an auxiliary machine, however often that is interrupted', async () => {
    const random = seeded(runSeed());
    const home = auxVmHome(instancePaths(TEST_INSTANCE, process.env)).home;
    for (const said of [/creating Part registry/, /creating Part packages/, /creating Part gateway/]) {
      await killedAfter(
        ['aux-vm', 'up', '--config', file],
        said,
        Math.floor(random() * 2500),
        TEST_INSTANCE,
        home,
      ).catch((error: unknown) => {
        // Its part was made by an earlier run already.
        if (!String(error).includes('it ended before')) throw error;
      });
    }
    const done = await up();
    ca = { file: done.authoritiesFile, text: done.outputs.authorities };
    expect(await machine.ok(`systemctl is-active ${UNITS.join(' ')} delos-firewall.service | sort -u`)).toBe(
      'active\n',
    );
    expect(await machine.ok('ls -A /var/lib | grep delos-in || true')).toBe('');
    ({ password } = await delosJson(shown, ['aux-vm', 'show', '--config', file, '--show-password']));
  });

  test('is left alone by a second run', async () => {
    const running = await pids();
    expect((await preview()).changed).toEqual([]);
    expect((await up()).changed).toEqual([]);
    expect(await pids()).toBe(running);
  });
});

describe('people', () => {
  test('push images and pull them, whoever they are, and nobody pushes without the password', async () => {
    const mine = await crane(machine.address, { user: 'admin', password }, ca.file);
    const theirs = await crane(machine.address, undefined, ca.file);
    const wrong = await crane(machine.address, { user: 'admin', password: 'wrong' }, ca.file);
    const untrusting = await crane(machine.address, { user: 'admin', password });
    try {
      const image = `${machine.address}/library/own:1`;
      await mine.push(image, 'of my own\n');
      expect(await theirs.content(image)).toMatchObject({ code: 0, stdout: 'of my own\n' });
      await expect(theirs.push(`${machine.address}/library/own:2`, 'x')).rejects.toThrow(/UNAUTHORIZED|DENIED/);
      await expect(wrong.push(`${machine.address}/library/own:2`, 'x')).rejects.toThrow(/401/);
      await expect(untrusting.push(`${machine.address}/library/own:2`, 'x')).rejects.toThrow('certificate');
    } finally {
      for (const one of [mine, theirs, wrong, untrusting]) await one.stop();
    }
  });

  test('upload charts as to ChartMuseum, and find them in the index', async () => {
    const ask = client();
    const archive = await makeChart(work, 'greeting', '1.2.0');
    const older = await makeChart(work, 'greeting', '1.1.0');
    const at = '/charts/api/charts';
    expect(await ask(at, { method: 'POST', body: archive })).toMatchObject({ status: 401 });
    expect(await ask(at, { method: 'POST', body: archive, login: login() })).toMatchObject({ status: 201 });
    expect(await ask(at, { method: 'POST', body: archive, login: login() })).toMatchObject({ status: 409 });
    expect(await ask(`${at}?force`, { method: 'POST', body: archive, login: login() })).toMatchObject({ status: 201 });
    // As `helm cm-push` sends it.
    const form = Buffer.concat([
      Buffer.from('--x\r\ncontent-disposition: form-data; name="chart"; filename="greeting-1.1.0.tgz"\r\n\r\n'),
      older,
      Buffer.from('\r\n--x--\r\n'),
    ]);
    const type = 'multipart/form-data; boundary=x';
    expect(await ask('/api/charts', { method: 'POST', body: form, type, login: login() })).toMatchObject({
      status: 201,
    });
    expect(await ask(at, { method: 'POST', body: Buffer.from('no chart'), login: login() })).toMatchObject({
      status: 400,
    });
    const index = z
      .object({ entries: z.record(z.string(), z.array(z.object({ version: z.string(), urls: z.array(z.string()) }))) })
      .parse(parse((await ask('/charts/index.yaml')).body.toString()));
    expect(index.entries.greeting?.map(({ version }) => version)).toEqual(['1.2.0', '1.1.0']);
    const url = index.entries.greeting?.[0]?.urls[0] ?? '';
    expect((await ask(new URL(url, `https://${machine.address}/charts/`).pathname)).body.equals(archive)).toBe(true);
    expect(await ask(`${at}/greeting/1.1.0`, { method: 'DELETE', login: login() })).toMatchObject({ status: 200 });
    expect(await ask(`${at}/greeting/1.1.0`)).toMatchObject({ status: 404 });
  });

  test('upload packages by twine and install them by pip', async () => {
    const tools = await pythonClient([UPLOADERS.twine, UPLOADERS.devpi]);
    const { path } = await makeWheel(join(tools, 'bin/python3'), work, 'hail', '1.0');
    const origin = `https://${machine.address}/pypi/admin/site/`;
    const env = { PATH: '/usr/bin:/bin', HOME: work, TWINE_PASSWORD: password };
    const twine = [join(tools, 'bin/twine'), 'upload', '--non-interactive', '--cert', ca.file, '-u', 'admin'];
    const sent = await execute([...twine, '--repository-url', origin, path], { env });
    expect([sent.code, sent.stdout + sent.stderr]).toEqual([0, expect.anything()]);
    const wrong = await execute([...twine, '--repository-url', origin, path], {
      env: { ...env, TWINE_PASSWORD: 'no' },
    });
    expect(wrong.code).toBe(1);
    const install = [
      'install',
      '--isolated',
      '--no-deps',
      '--no-cache-dir',
      '--cert',
      ca.file,
      '--target',
      join(work, 'site'),
    ];
    const got = await execute([join(tools, 'bin/pip'), ...install, '--index-url', `${origin}+simple/`, 'hail'], {
      env,
    });
    expect([got.code, got.stderr]).toEqual([0, expect.anything()]);
  });

  test('ask it for names, and every name below one is there', async () => {
    const at = { host: machine.address, port: 53 };
    const names = {
      [`charts.${DOMAIN}`]: machine.address,
      'a.jobs.ai.site.test': '10.9.9.9',
      'db.ai.site.test': '10.9.9.8',
    };
    for (const [name, address] of Object.entries(names)) {
      for (const by of ['udp', 'tcp'] as const) {
        const answer = await ask(at, name, 1, by);
        expect([answer.flags.authoritative, ...answer.records.map(({ data }) => data.join('.'))]).toEqual([
          true,
          address,
        ]);
      }
    }
    // REFUSED: it asks nobody for others.
    expect((await ask(at, 'example.com', 1)).rcode).toBe(5);
  });

  test('reach nothing else', async () => {
    await machine.ok('systemd-run --quiet --unit other python3 -m http.server 8099');
    await until('the other server', 20, async () =>
      (await machine.run('bash -c "exec 3<>/dev/tcp/127.0.0.1/8099"')).code === 0 ? true : undefined,
    );
    expect(await Promise.all([22, 443, 53, 8099, 5000, 3141].map(opens))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    const running = await pids();
    await write(configOf({ firewall: { open: [8099] } }));
    expect((await up()).changed).toEqual(['update firewall']);
    expect([await opens(8099), await pids()]).toEqual([true, running]);
    await write(configOf());
    await up();
    expect(await opens(8099)).toBe(false);
  });
});

describe('what is changed', () => {
  test('by hand, is found and repaired, and nothing else is touched', async () => {
    const running = await pids();
    await machine.ok(
      'sed -i s/MemoryMax=512M/MemoryMax=4G/ /etc/systemd/system/delos-charts.service && rm /etc/delos-aux/dns/Corefile && chmod 644 /etc/delos-aux/gateway/tls.key && nft flush table inet delos_aux',
    );
    const parts = (await preview()).changed.map(({ part }) => part);
    expect(parts.toSorted()).toEqual(['charts', 'dns', 'firewall', 'gateway']);
    await up();
    expect((await preview()).changed).toEqual([]);
    const now = await pids();
    const changed = UNITS.filter((_, nth) => running.split('\n\n')[nth] !== now.split('\n\n')[nth]);
    expect(changed).toEqual(['delos-charts.service', 'delos-dns.service', 'delos-gateway.service']);
    expect(
      await machine.ok('stat -c %a /etc/delos-aux/gateway/tls.key; cat /etc/systemd/system/delos-charts.service'),
    ).toMatch(/^600\n(.*\n)*MemoryMax=512M/);
  });

  test('in the file, restarts only what it concerns', async () => {
    const running = await pids();
    await write(configOf({ dns: { zones: [] } }));
    expect((await up()).changed).toEqual(['update dns']);
    const now = await pids();
    expect(UNITS.filter((_, nth) => running.split('\n\n')[nth] !== now.split('\n\n')[nth])).toEqual([
      'delos-dns.service',
    ]);
    expect((await ask({ host: machine.address, port: 53 }, 'db.ai.site.test', 1)).rcode).toBe(5);
    expect(await machine.ok('ls /etc/delos-aux/dns')).toBe(`Corefile\n${DOMAIN}.zone\n`);
  });

  test('in the firewall so that nobody gets in, is undone by the machine itself', async () => {
    const connection = new Connection({
      host: machine.address,
      port: 22,
      user: 'root',
      keyFile: machine.keyFile,
      hostKey: machine.hostKey,
    });
    const rules = '/etc/delos-aux/locked/rules.nft';
    const locked = withStamps({
      name: 'locked',
      files: {
        [rules]: {
          mode: 0o644,
          content: {
            text: 'table inet delos_locked { chain in { type filter hook input priority 1; policy drop; ct state established accept; }; }\n',
          },
        },
      },
      units: [
        {
          name: 'delos-locked.service',
          reads: [rules],
          guards: 'inet delos_locked',
          text: `[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/nft -f ${rules}\n\n[Install]\nWantedBy=multi-user.target\n`,
        },
      ],
    });
    const { signal } = new AbortController();
    await expect(apply(connection, locked, signal, () => undefined)).rejects.toThrow('is not reached by ssh');
    await until('ssh again', 120, async () => ((await machine.run('true')).code === 0 ? true : undefined));
    expect(await machine.ok('nft list tables')).toBe('table inet delos_aux\n');
    expect(await machine.ok('systemctl is-enabled delos-locked.service || true')).toBe('disabled\n');
    connection.close();
    // What nothing asks for goes with the next run.
    await up();
    expect(await machine.ok('ls /etc/systemd/system | grep locked || true')).toBe('');
  });
});

describe('what is there', () => {
  const isThere = async (): Promise<void> => {
    const ask = client();
    expect(await ask('/charts/api/charts/greeting/1.2.0')).toMatchObject({ status: 200 });
    expect((await ask('/pypi/admin/site/+simple/hail/')).body.toString()).toContain('hail-1.0');
    const theirs = await crane(machine.address, undefined, ca.file);
    expect((await theirs.content(`${machine.address}/library/own:1`)).stdout).toBe('of my own\n');
    await theirs.stop();
  };

  test('comes back when any process of it is killed', async () => {
    for (const unit of UNITS) {
      const [, pid = ''] = (await machine.ok(`systemctl show -p MainPID ${unit}`)).trim().split('=');
      await machine.ok(`kill -9 ${pid}`);
      await until(`${unit} again`, 60, async () => {
        const { stdout } = await machine.run(`systemctl show -p MainPID -p ActiveState ${unit}`);
        return stdout.includes('ActiveState=active') && !stdout.includes(`MainPID=${pid}\n`) ? true : undefined;
      });
    }
    await isThere();
    expect((await preview()).changed).toEqual([]);
  });

  test('is there when the machine has lost its power', async () => {
    await machine.powerCycle();
    await until('the services', 120, async () => {
      const { stdout } = await machine.run(`systemctl is-active ${UNITS.join(' ')} delos-firewall.service | sort -u`);
      return stdout === 'active\n' ? true : undefined;
    });
    await isThere();
    expect(await opens(8099)).toBe(false);
    expect((await preview()).changed).toEqual([]);
  });

  test('goes whole, and only that, but data stays until it is told', async () => {
    const destroy = (...more: readonly string[]) => delos(['aux-vm', 'destroy', '--config', file, ...more]);
    expect(await destroy()).toMatchObject({ code: 0 });
    expect(linesOf(await everything()).filter((line) => !line.startsWith('/var/lib/delos-'))).toEqual(linesOf(before));
    await up();
    await isThere();
    expect(await destroy('--delete-data')).toMatchObject({ code: 0 });
    expect(linesOf(await everything())).toEqual(linesOf(before));
    expect(await machine.ok('ls /var/lib/private')).toBe('');
  });
});

test('a machine makes itself the same at its first start, by cloud-init', async () => {
  const archive = join(work, 'programs.tar');
  const { sha256 } = await delosJson(z.object({ sha256: z.string() }), ['aux-vm', 'programs', '--out', archive]);
  await machine.stop();
  machine = await debianMachine(async (root, address) => {
    await execute(['cp', archive, join(root, 'opt/programs.tar')]);
    await write({ domain: DOMAIN, address });
    const { userData } = await delosJson(z.object({ userData: z.string() }), [
      'aux-vm',
      'cloud-init',
      '--config',
      file,
      '--archive',
      '/opt/programs.tar',
      '--sha256',
      sha256,
    ]);
    return userData;
  });
  await until('cloud-init', 300, async () =>
    (await machine.run('cloud-init status')).stdout.includes('status: done') ? true : undefined,
  );
  await write({ ...configOf(), dns: {} });
  expect((await preview()).changed.filter(({ op }) => op !== 'create')).toEqual([]);
  const running = await pids();
  await up();
  expect(await pids()).toBe(running);
  expect((await client()('/health')).body.toString()).toBe('ok');
});

const linesOf = (text: string): readonly string[] => text.split('\n');
