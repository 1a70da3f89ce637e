import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { freePort } from '@delos/host';
import { expect, test } from 'vitest';
import { until } from '../../support/until.ts';

const MAIN = fileURLToPath(new URL('../../../runtime/service/src/main.ts', import.meta.url));
const JOB = 'job-00000000-0000-4000-8000-000000000000';
const LINE = '2026-01-01T00:00:00.000000000Z stdout F hello\n';

test.each(['0.log', '0.log.20260101-000000.gz'])(
  'a log %s that the collector may not read makes it unready, and is not taken for empty',
  async (name) => {
    const folder = await mkdtemp(join(tmpdir(), 'delos-collector-'));
    const pod = join(folder, 'pods', `job-default_${JOB}_uid-1`, 'main');
    await mkdir(pod, { recursive: true });
    const log = join(pod, name);
    await writeFile(log, name.endsWith('.gz') ? gzipSync(LINE) : LINE);
    // Another's, and nobody else's to read.
    await chmod(log, 0o600);
    await chown(log, 12_345, 12_345);
    await writeFile(join(folder, 'token'), 'a-token-of-sufficient-length');

    // The part of the control plane that logs go to.
    const received: Buffer[] = [];
    let finished = false;
    const plane = createServer((request, response) => {
      void buffer(request).then((body) => {
        if (body.length > 0) received.push(gunzipSync(body));
        finished ||= (request.url ?? '').includes('final=true');
        const length = Buffer.concat(received).length;
        response.end(JSON.stringify({ length, final: finished, cursor: null }));
      });
    });
    plane.listen(0, '127.0.0.1');
    await once(plane, 'listening');
    const port = await freePort();
    // Root without its privileges over files: a user as any other, who may run this Node.
    const bare = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'];
    const child = spawn('setpriv', [...bare, process.execPath, MAIN, 'collector'], {
      env: {
        PATH: process.env.PATH,
        DELOS_API_URL: `http://127.0.0.1:${(plane.address() as AddressInfo).port}`,
        DELOS_CLUSTER: 'default',
        DELOS_NODE: 'node-1',
        DELOS_COLLECTOR_TOKEN_FILE: join(folder, 'token'),
        DELOS_POD_LOGS: join(folder, 'pods'),
        DELOS_LISTEN_HOST: '127.0.0.1',
        DELOS_INTERNAL_PORT: String(port),
      },
      stdio: 'ignore',
    });
    try {
      const reason = await until('it says why it is not ready', 60, async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
        const text = (await answer?.text()) ?? '';
        return text.includes('may not be read') ? text : undefined;
      });
      expect(reason).toContain(log);
      expect(received).toEqual([]);
      expect(finished).toBe(false);
      await chmod(log, 0o644);
      await until('the log is carried', 60, () =>
        Promise.resolve(Buffer.concat(received).toString() === LINE ? true : undefined),
      );
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
      plane.closeAllConnections();
      plane.close();
      await rm(folder, { recursive: true });
    }
  },
);
