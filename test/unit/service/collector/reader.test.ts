import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AttemptReader } from '../../../../runtime/service/src/collector/attempt-reader.ts';
import { FileLedger } from '../../../../runtime/service/src/collector/file-ledger.ts';
import { tryPodFolder } from '../../../../runtime/service/src/collector/log-files.ts';
import { until } from '../../../support/until.ts';

let folder: string;
let count = 0;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'delos-collector-'));
  count = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);
/** One line as the runtime writes it. */
const line = (): string => {
  count += 1;
  return `2026-01-01T00:00:00.${String(count).padStart(9, '0')}Z stdout F line ${count}\n`;
};
const write = (lines: number): string => {
  const text = Array.from({ length: lines }, line).join('');
  appendFileSync(path('0.log'), text);
  return text;
};
let rotations = 0;
/** As the kubelet does it: rename, and a new file; the one rotated before is compressed, the oldest deleted. */
const rotate = (): string => {
  rotations += 1;
  const name = `0.log.20260101-${String(rotations).padStart(6, '0')}`;
  renameSync(path('0.log'), path(name));
  writeFileSync(path('0.log'), '');
  return name;
};
const compress = (name: string): void => {
  writeFileSync(path(`${name}.gz`), gzipSync(readFileSync(path(name))));
  unlinkSync(path(name));
};

/** All that there is to read now. */
async function drain(reader: AttemptReader, max = 1 << 20): Promise<{ text: string; cursor: string | null }> {
  let text = '';
  let cursor: string | null = null;
  for (;;) {
    const piece = await reader.read(max);
    if (piece !== undefined) {
      text += piece.bytes.toString('utf8');
      cursor = piece.cursor;
    } else if (reader.settlesIn === undefined) return { text, cursor };
    else await sleep(reader.settlesIn);
  }
}

/** The next piece, also of a file that follows; undefined at the end. */
async function nextOf(reader: AttemptReader): ReturnType<AttemptReader['read']> {
  for (;;) {
    const piece = await reader.read(1 << 20);
    if (piece !== undefined || reader.settlesIn === undefined) return piece;
    await sleep(reader.settlesIn);
  }
}

describe('an attempt’s log is read whole and once', () => {
  test('over a rotation', async () => {
    const reader = new AttemptReader(folder, 0);
    const first = write(5);
    expect((await drain(reader)).text).toBe(first);
    const late = write(2);
    rotate();
    const second = write(3);
    expect((await drain(reader)).text).toBe(late + second);
    expect(reader.complete).toBe(true);
    await reader.close();
  });

  test('by a reader that was killed, from its last cursor, whatever was renamed and compressed meanwhile', async () => {
    const before = new AttemptReader(folder, 0);
    const first = write(5);
    const { text, cursor } = await drain(before);
    expect(text).toBe(first);
    await before.close();
    const rest = [write(4)];
    const one = rotate();
    rest.push(write(4));
    const two = rotate();
    compress(one);
    rest.push(write(4));
    rotate();
    compress(two);
    rest.push(write(4));
    const after = new AttemptReader(folder, 0);
    await after.seek(cursor);
    expect((await drain(after)).text).toBe(rest.join(''));
    expect(after.complete).toBe(true);
    await after.close();
  });

  test('also a file that was deleted while it was open', async () => {
    const reader = new AttemptReader(folder, 0);
    const first = write(1);
    expect((await drain(reader)).text).toBe(first);
    const late = write(3);
    const name = rotate();
    unlinkSync(path(name));
    const second = write(2);
    expect((await drain(reader)).text).toBe(late + second);
    expect(reader.complete).toBe(true);
    await reader.close();
  });

  test('and bytes that were deleted unread are not passed over in silence', async () => {
    const before = new AttemptReader(folder, 0);
    write(1);
    const { cursor } = await drain(before);
    await before.close();
    write(3);
    unlinkSync(path(rotate()));
    const second = write(2);
    const after = new AttemptReader(folder, 0);
    await after.seek(cursor);
    expect((await drain(after)).text).toBe(second);
    expect(after.complete).toBe(false);
    await after.close();
  });

  test('and it is told before which bytes others may be missing, where several files went unread', async () => {
    const reader = new AttemptReader(folder, 0);
    const first = write(1);
    expect((await drain(reader)).text).toBe(first);
    const gone = [rotate()];
    write(3);
    gone.push(rotate());
    const second = write(2);
    rotate();
    const third = write(1);
    for (const name of gone) unlinkSync(path(name));
    const pieces = [];
    for (let read = await nextOf(reader); read !== undefined; read = await nextOf(reader)) pieces.push(read);
    expect(pieces.map(({ bytes }) => bytes.toString()).join('')).toBe(second + third);
    expect(pieces.map(({ lost }) => lost)).toEqual([true, ...pieces.slice(1).map(() => false)]);
    expect(reader.complete).toBe(false);
    await reader.close();
  });

  test('nothing is missing where the oldest file alone was deleted, read to its end, and the next one is known', async () => {
    const reader = new AttemptReader(folder, 0);
    const first = write(1);
    expect((await drain(reader)).text).toBe(first);
    const name = rotate();
    const second = write(2);
    // It is seen that there is another, and waited for what the runtime may still write to this one.
    expect(await reader.read(1 << 20)).toBeUndefined();
    unlinkSync(path(name));
    rotate();
    const third = write(1);
    expect((await drain(reader)).text).toBe(second + third);
    expect(reader.complete).toBe(true);
    await reader.close();
  });

  test.each([
    [3, true],
    [4, false],
  ])('whether the beginning of a log is there is not sure with %i rotated files', async (rotated, complete) => {
    for (let each = 0; each < rotated; each += 1) {
      write(1);
      rotate();
    }
    write(1);
    const reader = new AttemptReader(folder, 0);
    expect((await reader.read(1 << 20))?.lost).toBe(!complete);
    expect(reader.complete).toBe(complete);
    await reader.close();
  });

  test('in whole lines; a line that is being written waits', async () => {
    const reader = new AttemptReader(folder, 0);
    const whole = write(1);
    const next = line();
    appendFileSync(path('0.log'), next.slice(0, 20));
    expect((await drain(reader)).text).toBe(whole);
    expect(reader.unfinished).toBe(true);
    appendFileSync(path('0.log'), next.slice(20));
    expect((await drain(reader)).text).toBe(next);
    await reader.close();
  });

  test('while one writes, rotates and compresses beside it', async () => {
    let all = '';
    let over = false;
    const writer = (async () => {
      let previous: string | undefined;
      for (let round = 0; round < 40; round += 1) {
        all += write(50);
        await sleep(2);
        if (round % 10 !== 9) continue;
        const name = rotate();
        if (previous !== undefined) compress(previous);
        previous = name;
      }
      all += write(10);
      over = true;
    })();
    let text = '';
    let cursor: string | null = null;
    for (let kills = 0; !over || text.length < all.length; kills += 1) {
      const reader = new AttemptReader(folder, 0);
      await reader.seek(cursor);
      for (let step = 0; step < 60 && (!over || text.length < all.length); step += 1) {
        const piece = await reader.read(4096);
        if (piece === undefined) await sleep(reader.settlesIn ?? 3);
        else {
          text += piece.bytes.toString('utf8');
          cursor = piece.cursor;
        }
      }
      await reader.close();
      if (kills > 200) break;
    }
    await writer;
    expect(text).toBe(all);
  });

  test('while its file gets another name at the very moment at which it is looked for', async () => {
    const read = write(5);
    const rest = write(5);
    const reader = new AttemptReader(folder, 0);
    const piece = await reader.read(read.length);
    expect(piece?.bytes.toString()).toBe(read);
    const cursor = piece?.cursor ?? null;
    await reader.close();
    const name = rotate();
    write(1);
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const renamer = new Worker(
      `const { renameSync } = require('node:fs');
       const { workerData: { a, b, stop } } = require('node:worker_threads');
       while (Atomics.load(stop, 0) === 0) { renameSync(a, b); renameSync(b, a); }`,
      { eval: true, workerData: { a: path(name), b: path(`${name.slice(0, -1)}9`), stop } },
    );
    try {
      for (let round = 0; round < 100; round += 1) {
        const again = new AttemptReader(folder, 0);
        await again.seek(cursor);
        const next = await until('it is found', 20, () => again.read(1 << 20), 1);
        expect([next.bytes.toString(), next.lost]).toEqual([rest, false]);
        await again.close();
      }
    } finally {
      Atomics.store(stop, 0, 1);
      await renamer.terminate();
    }
  });
});

test('only folders of jobs are logs to carry', () => {
  const id = 'job-00000000-0000-4000-8000-000000000001';
  expect(tryPodFolder(`job-a_${id}_uid-1`)).toEqual({ namespace: 'job-a', jobId: id, podUid: 'uid-1' });
  for (const name of ['kube-system_coredns_uid', `${id}_uid`, `job-a_${id}x_uid`]) {
    expect(tryPodFolder(name)).toBeUndefined();
  }
});

describe('what a node deletes before it was read', () => {
  test('is counted where its files were seen, whatever was compressed', async () => {
    const ledger = new FileLedger(folder, 0);
    const reader = new AttemptReader(folder, 0, ledger);
    write(3);
    const { cursor } = await drain(reader);
    await reader.close();
    let missing = write(2).length;
    let old: string | undefined;
    const names: string[] = [];
    for (let each = 0; each < 5; each += 1) {
      await ledger.look();
      names.push(rotate());
      if (old !== undefined) compress(old);
      old = names.at(-1);
      const text = write(10);
      if (each < 3) missing += text.length;
    }
    await ledger.look();
    for (const name of names.slice(0, 4)) {
      rmSync(path(name), { force: true });
      rmSync(path(`${name}.gz`), { force: true });
    }
    const after = new AttemptReader(folder, 0, ledger);
    await after.seek(cursor);
    const first = await nextOf(after);
    expect(first).toMatchObject({ lost: true, missing });
    expect(await nextOf(after)).not.toHaveProperty('missing');
    await after.close();
  });

  test('is unknown where nobody saw them', async () => {
    const reader = new AttemptReader(folder, 0);
    write(3);
    const { cursor } = await drain(reader);
    await reader.close();
    unlinkSync(path(rotate()));
    write(2);
    const after = new AttemptReader(folder, 0, new FileLedger(folder, 0));
    await after.seek(cursor);
    const first = await nextOf(after);
    expect(first?.lost).toBe(true);
    expect(first).not.toHaveProperty('missing');
    await after.close();
  });

  test('is counted at the end too, where nothing follows', async () => {
    const ledger = new FileLedger(folder, 0);
    const reader = new AttemptReader(folder, 0, ledger);
    write(3);
    const { cursor } = await drain(reader);
    await reader.close();
    const missing = write(4).length;
    await ledger.look();
    unlinkSync(path('0.log'));
    const after = new AttemptReader(folder, 0, ledger);
    await after.seek(cursor);
    expect(await nextOf(after)).toBeUndefined();
    expect(after.untold).toBe(missing);
    await after.close();
  });
});
