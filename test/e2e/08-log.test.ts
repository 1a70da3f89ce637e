import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { serviceProcesses } from '../support/cluster/node.ts';
import { KILLED_PARTS, killPart, notePeaks, type Peaks } from '../support/faults.ts';
import { kubectl, testPlatform } from '../support/instance.ts';
import { type Api, api } from '../support/service/api.ts';
import { until } from '../support/until.ts';

const LINES = 1_000_000;
/** Paced over some twenty seconds, so that the kubelet rotates and the kills fall into the middle. */
const PROGRAM = `import sys, time
for part in range(200):
    sys.stdout.write(''.join('line %07d of a long log\\n' % (part * 5000 + i) for i in range(5000)))
    sys.stdout.flush()
    time.sleep(0.1)`;

describe('a job that prints a million lines', () => {
  let platform: Api;
  beforeAll(async () => {
    await testPlatform();
    platform = await api('ann');
  });

  test('while API and agent are killed twice: live and archived, every byte, in order, once', async () => {
    const expected = createHash('sha256');
    for (let i = 0; i < LINES; i += 1) expected.update(`line ${String(i).padStart(7, '0')} of a long log\n`);
    const wanted = expected.digest('hex');
    const peaks: Peaks = new Map();
    const job = await platform.create({
      preset_name: 'small',
      command: `python3 -c "${PROGRAM}"`,
    });
    const running = await platform.running(job.id);
    let received = 0;
    let closed = false;
    let cuts = 0;
    let live = createHash('sha256');
    const reader = (async () => {
      // A reader that is cut off reads again from the start: what it has seen before comes again, byte for byte.
      while (!closed) {
        let position = 0;
        const hash = createHash('sha256');
        try {
          await platform.follow(job.id, (data) => {
            position += data.length;
            hash.update(data);
            received = Math.max(received, position);
          });
          live = hash;
          closed = true;
        } catch {
          cuts += 1;
          await sleep(500);
        }
      }
    })();
    for (const share of [0.2, 0.5]) {
      await until(`${share * 100} % of the log are read live`, 300, (last) => {
        last(received);
        return received >= LINES * 27 * share ? true : undefined;
      });
      // The second kill may come while a part still starts after the first.
      for (const part of ['control-api', 'agent'] as const) {
        await until(`${part} runs and is killed`, 60, async () => (await killPart(part, peaks)) || undefined);
      }
    }
    expect((await platform.ended(job.id, 300)).status).toBe('succeeded');
    await reader;
    expect(cuts).toBeGreaterThanOrEqual(1);
    expect(live.digest('hex'), 'followed live').toBe(wanted);

    await until(`Pod ${job.id} is gone`, 120, async (last) => {
      const pods = await kubectl(['get', 'pods', '-n', running.namespace ?? '', '-o', 'name']);
      last(pods);
      return pods.includes(job.id) ? undefined : true;
    });
    const archive = createHash('sha256');
    let size = 0;
    await platform.follow(job.id, (data) => {
      size += data.length;
      archive.update(data);
    });
    expect(size).toBe(LINES * 27);
    expect(archive.digest('hex'), 'archived').toBe(wanted);

    for (const part of KILLED_PARTS) await notePeaks(part, await serviceProcesses(part), peaks);
    await notePeaks('collector', await serviceProcesses('collector', 'delos-node'), peaks);
    for (const [part, bytes] of peaks) expect(bytes / 2 ** 20, part).toBeLessThanOrEqual(256);
  });
});
