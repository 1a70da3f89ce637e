import { join } from 'node:path';
import { UPLOADERS } from '@delos/artifacts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { execute } from '../../../peers/src/command.ts';
import { pythonClient } from '../../../peers/src/python-client.ts';
import { apply } from '../../../stacks/src/machine/apply.ts';
import { withStamps } from '../../../stacks/src/machine/part.ts';
import { Connection } from '../../../stacks/src/machine/ssh.ts';
import { ask } from '../../support/dns/ask.ts';
import { delos, TEST_INSTANCE } from '../../support/instance.ts';
import { killedAfter } from '../../support/killed-command.ts';
import { AuxVmUnderTest, DOMAIN, HOME, UNITS } from '../../support/machine/aux-vm.ts';
import { makeChart } from '../../support/machine/chart.ts';
import type { DebianMachine } from '../../support/machine/debian-machine.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { crane } from '../../support/registry/crane.ts';
import { makeWheel } from '../../support/service/wheel.ts';
import { until } from '../../support/until.ts';

/* An auxiliary machine: a real Debian with systemd and without any network but the way to its clients. */

let vm: AuxVmUnderTest;
let machine: DebianMachine;
let before: readonly string[];

beforeAll(async () => {
  vm = await AuxVmUnderTest.start();
  ({ machine } = vm);
  before = await vm.everything();
});
afterAll(() => vm?.stop());

describe('a bare Debian', () => {
  test('is not believed that shows another key', async () => {
    const hostKey = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'A'.repeat(43)}`;
    await vm.write({ ssh: { keyFile: machine.keyFile, hostKey } });
    const { code, stderr } = await delos(['aux-vm', 'up', '--config', vm.file]);
    expect([code, stderr]).toEqual([5, expect.stringContaining('shows another key than ssh.hostKey')]);
    await vm.write();
  });

  test('becomes an auxiliary machine, however often that is interrupted', async () => {
    const random = seeded(runSeed());
    for (const said of [/creating Part registry/, /creating Part packages/, /creating Part gateway/]) {
      await killedAfter(['aux-vm', 'up', '--config', vm.file], said, random() * 2500, TEST_INSTANCE, HOME.home);
    }
    await vm.up();
    await vm.settled();
    expect(await machine.ok('ls -A /var/lib | grep delos-in || true')).toMatch(/^(\.delos-in-\w+\n)*$/);
  });

  test('is left alone by a second run', async () => {
    const running = await vm.pids();
    expect([await vm.preview(), await vm.up(), await vm.restarted(running)]).toEqual([[], [], []]);
  });
});

describe('people', () => {
  test('push images and pull them, whoever they are, and nobody pushes without the password', async () => {
    const { password, authoritiesFile } = vm.known;
    const mine = await crane(machine.address, { user: 'admin', password }, authoritiesFile);
    const theirs = await crane(machine.address, undefined, authoritiesFile);
    const wrong = await crane(machine.address, { user: 'admin', password: 'wrong' }, authoritiesFile);
    const untrusting = await crane(machine.address, { user: 'admin', password });
    try {
      await mine.push(`${machine.address}/library/own:1`, 'of my own\n');
      expect(await theirs.content(`${machine.address}/library/own:1`)).toMatchObject({ stdout: 'of my own\n' });
      const refused = `${machine.address}/library/own:2`;
      await expect(theirs.push(refused, 'x')).rejects.toThrow(/UNAUTHORIZED|DENIED/);
      await expect(wrong.push(refused, 'x')).rejects.toThrow(/401/);
      await expect(untrusting.push(refused, 'x')).rejects.toThrow('certificate');
    } finally {
      for (const one of [mine, theirs, wrong, untrusting]) await one.stop();
    }
  });

  test('upload charts as to ChartMuseum, and find them in the index', async () => {
    const { client, login } = vm;
    const [archive, older] = [await makeChart(vm.work, 'hello', '1.2.0'), await makeChart(vm.work, 'hello', '1.1.0')];
    const post = async (at: string, body: Buffer, by?: string, type?: string): Promise<number> => {
      const more = { ...(by === undefined ? {} : { login: by }), ...(type === undefined ? {} : { type }) };
      return (await client(at, { method: 'POST', body, ...more })).status;
    };
    const at = '/charts/api/charts';
    expect([await post(at, archive), await post(at, archive, 'admin:no')]).toEqual([401, 401]);
    expect([await post(at, archive, login), await post(at, archive, login)]).toEqual([201, 409]);
    expect(await post(`${at}?force`, archive, login)).toBe(201);
    // As `helm cm-push` sends it.
    const head = '--x\r\ncontent-disposition: form-data; name="chart"; filename="hello-1.1.0.tgz"\r\n\r\n';
    const form = Buffer.concat([Buffer.from(head), older, Buffer.from('\r\n--x--\r\n')]);
    expect(await post('/api/charts', form, login, 'multipart/form-data; boundary=x')).toBe(201);
    expect(await post(at, Buffer.from('no chart'), login)).toBe(400);
    const entry = z.object({ version: z.string(), urls: z.tuple([z.string()]) });
    const index = z.object({ entries: z.object({ hello: z.array(entry) }) });
    const { entries } = index.parse(parse((await client('/charts/index.yaml')).body.toString()));
    expect(entries.hello.map(({ version }) => version)).toEqual(['1.2.0', '1.1.0']);
    const got = await client(`/charts/${entries.hello[0]?.urls[0] ?? ''}`);
    expect(got.body.equals(archive)).toBe(true);
    expect(await client(`${at}/hello/1.1.0`, { method: 'DELETE', login })).toMatchObject({ status: 200 });
    expect(await client(`${at}/hello/1.1.0`)).toMatchObject({ status: 404 });
  });

  test('upload packages by twine and install them by pip', async () => {
    const { password, authoritiesFile } = vm.known;
    const tools = await pythonClient([UPLOADERS.twine, UPLOADERS.devpi]);
    const { path } = await makeWheel(join(tools, 'bin/python3'), vm.work, 'hail', '1.0');
    const url = `https://${machine.address}/pypi/admin/site/`;
    const upload = (secret: string) => {
      const to = ['--cert', authoritiesFile, '-u', 'admin', '--repository-url', url, path];
      const env = { PATH: '/usr/bin:/bin', HOME: vm.work, TWINE_PASSWORD: secret };
      return execute([join(tools, 'bin/twine'), 'upload', '--non-interactive', ...to], { env });
    };
    expect(await upload('wrong')).toMatchObject({ code: 1 });
    expect(await upload(password)).toMatchObject({ code: 0 });
    const how = ['--isolated', '--no-deps', '--no-cache-dir', '--cert', authoritiesFile];
    const to = ['--target', join(vm.work, 'site'), '--index-url', `${url}+simple/`];
    // A bundle that the machine's variables name goes before --cert.
    const env = { PATH: '/usr/bin:/bin', HOME: vm.work };
    const pip = [join(tools, 'bin/pip'), 'install', ...how, ...to, 'hail'];
    expect(await execute(pip, { env })).toMatchObject({ code: 0 });
  });

  test('ask it for names, and every name below one is there', async () => {
    const at = { host: machine.address, port: 53 };
    const names = {
      [`a.${DOMAIN}`]: machine.address,
      'a.jobs.ai.site.test': '10.9.9.9',
      'db.ai.site.test': '10.9.9.8',
    };
    for (const [name, address] of Object.entries(names)) {
      for (const by of ['udp', 'tcp'] as const) {
        const { flags, records } = await ask(at, name, 1, by);
        expect([flags.authoritative, records[0]?.data.join('.')]).toEqual([true, address]);
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
    const ports = [22, 443, 53, 8099, 5000, 3141];
    expect(await Promise.all(ports.map((port) => vm.opens(port)))).toEqual([true, true, true, false, false, false]);
    const running = await vm.pids();
    await vm.write({ firewall: { open: [8099] } });
    expect(await vm.up()).toEqual(['update firewall']);
    expect([await vm.opens(8099), await vm.restarted(running)]).toEqual([true, []]);
    await vm.write();
    await vm.up();
    expect(await vm.opens(8099)).toBe(false);
  });
});

describe('what is changed', () => {
  test('by hand, is found and repaired, and nothing else is touched', async () => {
    const running = await vm.pids();
    const unit = '/etc/systemd/system/delos-charts.service';
    const key = '/etc/delos-aux/gateway/tls.key';
    await machine.ok(
      `sed -i s/MemoryMax=512M/MemoryMax=4G/ ${unit} && rm /etc/delos-aux/dns/Corefile && chmod 644 ${key} && nft delete table inet delos_aux`,
    );
    expect((await vm.preview()).map(({ part }) => part).toSorted()).toEqual(['charts', 'dns', 'firewall', 'gateway']);
    await vm.up();
    expect(await vm.preview()).toEqual([]);
    expect(await vm.restarted(running)).toEqual(['charts', 'dns', 'gateway'].map((name) => `delos-${name}.service`));
    expect(await machine.ok(`stat -c %a ${key}; grep MemoryMax ${unit}`)).toBe('600\nMemoryMax=512M\n');
  });

  test('in the file, restarts only what it concerns', async () => {
    const running = await vm.pids();
    await vm.write({ dns: { zones: [] } });
    expect(await vm.up()).toEqual(['update dns']);
    expect(await vm.restarted(running)).toEqual(['delos-dns.service']);
    expect((await ask({ host: machine.address, port: 53 }, 'db.ai.site.test', 1)).rcode).toBe(5);
    expect(await machine.ok('ls /etc/delos-aux/dns')).toBe(`Corefile\n${DOMAIN}.zone\n`);
  });

  test('in the firewall so that nobody gets in, is undone by the machine itself', async () => {
    const { keyFile, hostKey } = machine;
    const connection = new Connection({ host: machine.address, port: 22, user: 'root', keyFile, hostKey });
    const rules = '/etc/delos-aux/locked/rules.nft';
    const chain = 'chain in { type filter hook input priority 1; policy drop; ct state established accept; }';
    const locked = withStamps({
      name: 'locked',
      files: { [rules]: { mode: 0o644, content: { text: `table inet delos_locked { ${chain}; }\n` } } },
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
    connection.close();
    await until('ssh again', 120, async () => ((await machine.run('true')).code === 0 ? true : undefined));
    expect(await machine.ok('nft list tables')).toBe('table inet delos_aux\n');
    expect(await machine.ok('systemctl is-enabled delos-locked.service || true')).toBe('disabled\n');
    // What nothing asks for goes with the next run.
    await vm.up();
    expect(await machine.ok('ls /etc/systemd/system | grep locked || true')).toBe('');
  });
});

describe('what is there', () => {
  const expectThere = async (): Promise<void> => {
    expect(await vm.client('/charts/api/charts/hello/1.2.0')).toMatchObject({ status: 200 });
    expect((await vm.client('/pypi/admin/site/+simple/hail/')).body.toString()).toContain('hail-1.0');
    const theirs = await crane(machine.address, undefined, vm.known.authoritiesFile);
    expect((await theirs.content(`${machine.address}/library/own:1`)).stdout).toBe('of my own\n');
    await theirs.stop();
  };

  test('comes back when any process of it is killed', async () => {
    for (const unit of UNITS) {
      const pid = (await machine.ok(`systemctl show -p MainPID --value ${unit}`)).trim();
      await machine.ok(`kill -9 ${pid}`);
      await until(`${unit} again`, 60, async () => {
        const { stdout } = await machine.run(`systemctl show -p MainPID -p ActiveState ${unit}`);
        return stdout.includes('ActiveState=active') && !stdout.includes(`MainPID=${pid}\n`) ? true : undefined;
      });
    }
    await expectThere();
    expect(await vm.preview()).toEqual([]);
  });

  test('is there when the machine has lost its power', async () => {
    await machine.powerCycle();
    await vm.settled();
    await expectThere();
    expect(await vm.preview()).toEqual([]);
  });

  test('goes whole, and only that, but data stays until it is told', async () => {
    const destroy = (...more: readonly string[]) => delos(['aux-vm', 'destroy', '--config', vm.file, ...more]);
    expect(await destroy()).toMatchObject({ code: 0 });
    const left = (await vm.everything()).filter((line) => !line.startsWith('/var/lib/delos-'));
    expect(left).toEqual(before);
    await vm.up();
    await expectThere();
    expect(await destroy('--delete-data')).toMatchObject({ code: 0 });
    expect(await vm.everything()).toEqual(before);
    expect(await machine.ok('ls /var/lib/private')).toBe('');
  });
});
