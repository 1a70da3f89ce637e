import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { renderTable } from '../../../../cluster/src/netpol/table.ts';
import { until } from '../../../support/until.ts';
import type { World } from '../../../unit/cluster/netpol/judge.ts';
import { node, table } from '../../../unit/cluster/netpol/table.ts';

/*
 * A Pod of this node and one of another, with a real connection between them, and the kernel's own rules on the way. The
 * other one is deleted by force: the API shows it no more, and it still speaks.
 */

const HERE = '10.202.0.2';
const THERE = '10.204.0.2';
const PORT = 9000;
const at = (short: string): string => `delos-lv-${short}-${process.pid}`;
const run = (command: string, ...args: readonly string[]): string => execFileSync(command, args, { encoding: 'utf8' });
const inside = (short: string, args: readonly string[], input = ''): string =>
  execFileSync('ip', ['netns', 'exec', at(short), ...args], { input, encoding: 'utf8' });

const pod = (name: string, podIP: string): World['pods'][number] => ({
  metadata: { namespace: 'red', name, uid: name, labels: { app: name } },
  spec: { containers: [] },
  status: { phase: 'Running', podIP },
});
const here = pod('here', HERE);
const there = pod('there', THERE);
const world = (pods: World['pods'], from = 'there'): World => ({
  namespaces: [{ metadata: { name: 'red', labels: {} } }],
  pods,
  policies: [
    {
      metadata: { namespace: 'red', name: 'only' },
      spec: {
        podSelector: { matchLabels: { app: 'here' } },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: { matchLabels: { app: from } } }] }],
      },
    },
  ],
});
const apply = (of: World, leaving: World['pods'] = []): void =>
  void inside('node', ['nft', '-f', '-'], renderTable(table(of, node, leaving)));

/** Tells of what it hears, a word a line. */
const LISTENER = `require('node:net').createServer((socket) => {
  socket.on('data', () => console.log('data')).on('end', () => console.log('end')).on('error', () => console.log('error'));
}).listen(${PORT}, () => console.log('listens'));`;
/** Speaks each 50 ms until it is told to end, and dials once more when it is told to. */
const SPEAKER = `const { connect } = require('node:net');
const socket = connect(${PORT}, '${HERE}', () => console.log('connected')).on('error', () => undefined);
const beat = setInterval(() => socket.write('word'), 50);
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'end') { clearInterval(beat); socket.end(); }
  else connect(${PORT}, '${HERE}').on('connect', () => console.log('open')).on('error', () => console.log('refused'));
});`;

class Program {
  readonly said: string[] = [];
  readonly #child: ChildProcess;

  constructor(short: string, script: string) {
    this.#child = spawn('ip', ['netns', 'exec', at(short), process.execPath, '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    if (this.#child.stdout !== null) createInterface(this.#child.stdout).on('line', (line) => this.said.push(line));
  }

  count = (word: string): number => this.said.filter((line) => line === word).length;
  tell = (line: string): void => void this.#child.stdin?.write(`${line}\n`);
  stop = (): void => void this.#child.kill('SIGKILL');
}

let listener: Program;
let speaker: Program;

beforeAll(() => {
  for (const short of ['node', 'here', 'there']) run('ip', 'netns', 'add', at(short));
  for (const [short, link, gateway, address] of [
    ['here', 'veth0', '10.202.0.1', HERE],
    ['there', 'uplink', '10.204.0.1', THERE],
  ] as const) {
    run('ip', '-n', at('node'), 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', at(short));
    run('ip', '-n', at('node'), 'addr', 'add', `${gateway}/24`, 'dev', link);
    run('ip', '-n', at('node'), 'link', 'set', link, 'up');
    run('ip', '-n', at(short), 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    run('ip', '-n', at(short), 'link', 'set', 'eth0', 'up');
    run('ip', '-n', at(short), 'route', 'add', 'default', 'via', gateway);
  }
  inside('node', ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
});
afterAll(() => {
  for (const short of ['node', 'here', 'there']) run('ip', 'netns', 'del', at(short));
});

const hears = () => {
  const from = listener.count('data');
  return until('words come', 10, async () => listener.count('data') > from + 3 || undefined);
};
/** Whether a word comes in a second in which twenty are spoken. What was on its way before has come. */
const silent = async (): Promise<boolean> => {
  await sleep(300);
  const from = listener.count('data');
  await sleep(1_000);
  return listener.count('data') === from;
};

beforeEach(async () => {
  apply(world([here, there]));
  listener = new Program('here', LISTENER);
  await until('it listens', 10, async () => listener.count('listens') > 0 || undefined);
  speaker = new Program('there', SPEAKER);
  await hears();
});
afterEach(() => {
  speaker.stop();
  listener.stop();
});

test('what it says, and its end, come as long as it leaves; a new connection of it is refused', async () => {
  apply(world([here]), [there]);
  await hears();
  speaker.tell('dial');
  await until('the new one is refused', 10, async () => speaker.count('refused') > 0 || undefined);
  expect(speaker.count('open')).toBe(0);
  await hears();
  speaker.tell('end');
  await until('its end comes', 10, async () => listener.count('end') > 0 || undefined);
});

test('once its time is over it is cut off, in the midst of what it says', async () => {
  apply(world([here]), [there]);
  await hears();
  apply(world([here]));
  expect(await silent()).toBe(true);
  speaker.tell('end');
  await sleep(1_000);
  expect(listener.count('end')).toBe(0);
});

test('a policy that closes cuts it off, as it would one that is there', async () => {
  apply(world([here], 'nobody'), [there]);
  expect(await silent()).toBe(true);
});
