import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instancePaths } from '@delos/core';
import { auxVmHome } from '@delos/stacks';
import { stringify } from 'yaml';
import { z } from 'zod';
import { delosJson, TEST_INSTANCE } from '../instance.ts';
import { until } from '../until.ts';
import { type DebianMachine, debianMachine } from './debian-machine.ts';
import { trusting } from './trusting.ts';

export const DOMAIN = 'aux.site.test';
/** Units that serve. */
export const UNITS = ['registry-tokens', 'registry', 'charts', 'packages', 'dns', 'gateway'].map(
  (name) => `delos-${name}.service`,
);
/** Where Pulumi keeps what it needs of the machine's stack. */
export const HOME = auxVmHome(instancePaths(TEST_INSTANCE, process.env));

const upDocument = z.object({
  changed: z.array(z.string()),
  outputs: z.object({ authorities: z.string() }),
  authoritiesFile: z.string(),
});
const previewDocument = z.object({ changed: z.array(z.object({ op: z.string(), part: z.string() })) });
const showDocument = z.object({ password: z.string() });

/** A Debian, and the command that makes it an auxiliary machine. */
export class AuxVmUnderTest {
  readonly machine: DebianMachine;
  /** A folder for the test. */
  readonly work: string;
  /** Says what the machine is. */
  readonly file: string;
  /** What `up` and `show` have said last. */
  known = { password: '', authorities: '', authoritiesFile: '' };

  private constructor(machine: DebianMachine, work: string, file: string) {
    this.machine = machine;
    this.work = work;
    this.file = file;
  }

  /** @param userData as debianMachine has it, given the file that says what the machine is */
  static async start(
    userData?: (file: string, root: string, address: string) => Promise<string>,
  ): Promise<AuxVmUnderTest> {
    const work = await mkdtemp(join(tmpdir(), 'delos-aux-vm-'));
    const file = join(work, 'aux-vm.yaml');
    const machine = await debianMachine(
      userData === undefined ? undefined : (root, address) => userData(file, root, address),
    );
    const made = new AuxVmUnderTest(machine, work, file);
    await made.write();
    return made;
  }

  async stop(): Promise<void> {
    await this.machine.stop();
    await rm(this.work, { recursive: true, force: true });
    await rm(join(HOME.root, '..'), { recursive: true, force: true });
  }

  write(more: Readonly<Record<string, unknown>> = {}): Promise<void> {
    const { address, keyFile, hostKey } = this.machine;
    const dns = { zones: [{ name: 'ai.site.test', address: '10.9.9.9', records: { db: '10.9.9.8' } }] };
    return writeFile(this.file, stringify({ domain: DOMAIN, address, ssh: { keyFile, hostKey }, dns, ...more }));
  }

  /** @returns what was done */
  async up(): Promise<readonly string[]> {
    const { changed, outputs, authoritiesFile } = await delosJson(upDocument, ['aux-vm', 'up', '--config', this.file]);
    const show = await delosJson(showDocument, ['aux-vm', 'show', '--config', this.file, '--show-password']);
    this.known = { ...show, authorities: outputs.authorities, authoritiesFile };
    return changed;
  }

  async preview() {
    return (await delosJson(previewDocument, ['aux-vm', 'preview', '--config', this.file])).changed;
  }

  /** The main process of each unit. */
  async pids(): Promise<readonly string[]> {
    const text = await this.machine.ok(`for unit in ${UNITS.join(' ')}; do systemctl show -p MainPID $unit; done`);
    return text.trim().split('\n');
  }

  /** Units whose process is another one than it was. */
  async restarted(before: readonly string[]): Promise<readonly string[]> {
    const now = await this.pids();
    return UNITS.filter((_, nth) => before[nth] !== now[nth]);
  }

  /** Waits until all units run. */
  async settled(): Promise<void> {
    await until('the services', 120, async (last) => {
      const states = `systemctl is-active ${UNITS.join(' ')} delos-firewall.service | sort -u`;
      const { stdout } = await this.machine.run(states);
      last(stdout);
      return stdout === 'active\n' ? true : undefined;
    });
  }

  /** A client that trusts the machine's authority. */
  get client(): ReturnType<typeof trusting> {
    return trusting(`https://${this.machine.address}`, this.known.authorities);
  }

  get login(): string {
    return `admin:${this.known.password}`;
  }

  /** All that the machine has, but what changes by itself. */
  async everything(): Promise<readonly string[]> {
    const changing = ['/proc', '/sys', '/run', '/dev', '/tmp', '/var/log/*', '/var/tmp/*', '/var/lib/systemd/*'];
    const own = ['/var/lib/private*', '/var/cache/*', '/root/.*', '/etc/resolv.conf'];
    const left = [...changing, ...own].map((path) => `-path '${path}'`).join(' -o ');
    const text = await this.machine.ok(
      `find / -xdev \\( ${left} \\) -prune -o -printf '%p %y %m %l\\n' | sort; nft list ruleset; systemctl list-unit-files --no-legend 'delos*' || true`,
    );
    return text.split('\n');
  }

  /** Whether a port of the machine takes a connection. */
  opens(port: number): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect({ host: this.machine.address, port, timeout: 2000 });
      const end = (open: boolean): void => {
        socket.destroy();
        resolve(open);
      };
      socket
        .once('connect', () => end(true))
        .once('error', () => end(false))
        .once('timeout', () => end(false));
    });
  }
}
