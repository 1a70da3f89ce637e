/**
 * The platform's file storage by the official client, directly and through the gateway, beside the same client against a file server that
 * answers the same calls and checks nothing; and the storage driven by a program, beside a local copy. All in one run, by turns: what
 * else the machine does falls on all alike.
 *
 *   ./delos bench storage [--samples N] [--mebibytes N] [--files N] [--json]
 */
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { execute, expectOk } from '@delos/peers';
import { filesOnApi } from '@delos/test';
import { peakOf } from './api/processes.ts';
import { median, numberOption, say } from './measure.ts';
import { startBare } from './storage/bare.ts';
import { type StorageClient, storageClient } from './storage/clients.ts';

const MIB = 2 ** 20;
const SMALL_BYTES = 8 * 1024;
const A_FOLDER = 100;
const TOKEN_SECONDS = 6 * 3600;

const samples = numberOption('--samples', 3);
const mebibytes = numberOption('--mebibytes', 1024);
const count = numberOption('--files', 10_000);

type Side = 'bare' | 'direct' | 'gateway';
const SIDES: readonly Side[] = ['bare', 'direct', 'gateway'];
const seconds: Record<string, Record<string, number[]>> = {};

const folder = await mkdtemp(join(tmpdir(), 'delos-bench-storage-'));
await chmod(folder, 0o755);
const served = await filesOnApi();
const bare = await startBare(folder);
const clients = new Map<Side, StorageClient>();
try {
  const token = await served.issuer.token('alice', { exp: Math.floor(Date.now() / 1000) + TOKEN_SECONDS });
  const { json: config } = await served.api.request('alice', 'GET', '/config');
  const origins = { bare: bare.url, direct: `http://127.0.0.1:${served.files.port}`, gateway: served.origin };
  for (const side of SIDES) clients.set(side, await storageClient(config, token, origins[side]));
  await mkdir(join(bare.data, 'acme/one'), { recursive: true });
  say(`making ${mebibytes} MiB and ${count} files of ${SMALL_BYTES / 1024} KiB`);
  const big = join(folder, 'big');
  const small = join(folder, 'small');
  await writeBig(big);
  await writeSmall(small);

  for (let sample = 0; sample < samples; sample += 1) {
    for (const [name, source] of [
      ['one big file', big],
      [`${count} small files`, small],
    ] as const) {
      for (let turn = 0; turn < SIDES.length; turn += 1) {
        const side = SIDES[(sample + turn) % SIDES.length] as Side;
        await bothWays(side, name, source);
      }
    }
    await natively(big, token);
  }
  const rows = Object.entries(seconds).flatMap(([name, sides]) => {
    const { bare: beside } = sides;
    if (beside === undefined) return [];
    const { direct = [], gateway = [] } = sides;
    return [
      { name, bare: beside, direct, gateway, ratio: ratioOf(beside, direct), gatewayRatio: ratioOf(beside, gateway) },
    ];
  });
  const { copy = [], put = [], get = [] } = seconds.natively ?? {};
  const native = { copy, put, get, putRatio: ratioOf(copy, put), getRatio: ratioOf(copy, get) };
  const memoryMiB = { files: toMiB(peakOf(served.files.pid)), gateway: toMiB(peakOf(served.gateway.pid)) };
  const text = [
    `storage: ${samples} turns, ${mebibytes} MiB and ${count} files of ${SMALL_BYTES / 1024} KiB; ratios of medians, bare by ours`,
    ...rows.map(
      (row) =>
        `  ${row.name.padEnd(26)} bare ${median(row.bare).toFixed(2).padStart(6)} s  directly ${row.ratio.toFixed(2)}  through the gateway ${row.gatewayRatio.toFixed(2)}`,
    ),
    `  a local copy takes ${median(copy).toFixed(2)} s; of its speed, a program writes ${native.putRatio.toFixed(2)} and reads ${native.getRatio.toFixed(2)}`,
    `  memory, at most: files ${memoryMiB.files} MiB, gateway ${memoryMiB.gateway} MiB`,
  ].join('\n');
  const document = { name: 'storage', rows, native, memoryMiB };
  process.stdout.write(`${process.argv.includes('--json') ? JSON.stringify(document) : text}\n`);
} finally {
  for (const client of clients.values()) await client.close();
  await bare.stop();
  await served.stop();
  await rm(folder, { recursive: true, force: true });
}

/** To the storage and back. */
async function bothWays(side: Side, name: string, source: string): Promise<void> {
  const client = clients.get(side);
  if (client === undefined) throw new Error(`no client of ${side}`);
  const back = join(client.home, 'back');
  note(`${name}, written`, side, await client.copy(source, 'storage:bench'));
  note(`${name}, read`, side, await client.copy('storage:bench', back));
  const data = side === 'bare' ? bare.data : served.files.data;
  await rm(back, { recursive: true });
  await rm(join(data, 'acme/one/bench'), { recursive: true });
  await settled();
}

async function natively(big: string, token: string): Promise<void> {
  const url = `http://127.0.0.1:${served.files.port}/api/v1/storage/acme/one/native`;
  const back = join(folder, 'native');
  const timed = async (name: string, argv: readonly string[]): Promise<void> => {
    const began = performance.now();
    await expectOk(execute(argv, { env: { PATH: '/usr/bin:/bin', BARE_TOKEN: token }, timeout: 600 }));
    note('natively', name, (performance.now() - began) / 1000);
  };
  // Of two file systems that know no shared blocks, as a volume and a machine's disk are.
  await timed('copy', ['cp', '--reflink=never', big, back]);
  await rm(back);
  await settled();
  await timed('put', [bare.program, 'put', url, big]);
  await settled();
  await timed('get', [bare.program, 'get', url, back]);
  await expectOk(execute(['cmp', big, back], { timeout: 600 }));
  await rm(back);
  await rm(join(served.files.data, 'acme/one/native'));
  await settled();
}

/** What was written is on the disk: nothing of it falls into the next measurement. */
async function settled(): Promise<void> {
  await expectOk(execute(['sync', '--file-system', folder], { timeout: 600 }));
}

function note(name: string, side: string, taken: number): void {
  say(`${name}, ${side}: ${taken.toFixed(2)} s`);
  const sides = seconds[name] ?? {};
  seconds[name] = { ...sides, [side]: [...(sides[side] ?? []), Math.round(taken * 1000) / 1000] };
}

function ratioOf(beside: readonly number[], ours: readonly number[] = []): number {
  return Math.round((median(beside) / median(ours)) * 100) / 100;
}

function toMiB(bytes: number): number {
  return Math.round(bytes / MIB);
}

async function writeBig(path: string): Promise<void> {
  const piece = randomFillSync(Buffer.alloc(MIB));
  const out = createWriteStream(path);
  for (let nth = 0; nth < mebibytes; nth += 1) {
    piece.writeUInt32LE(nth);
    if (!out.write(Buffer.from(piece))) await once(out, 'drain');
  }
  out.end();
  await finished(out);
  await chmod(path, 0o644);
}

async function writeSmall(path: string): Promise<void> {
  const content = randomFillSync(Buffer.alloc(SMALL_BYTES));
  await mkdir(path);
  for (let nth = 0; nth < count; nth += 1) {
    const into = join(path, String(Math.floor(nth / A_FOLDER)));
    if (nth % A_FOLDER === 0) await mkdir(into);
    content.writeUInt32LE(nth);
    await writeFile(join(into, String(nth)), content);
  }
}
