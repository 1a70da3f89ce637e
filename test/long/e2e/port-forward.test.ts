import { createHash } from 'node:crypto';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApoloClient } from '../../../peers/src/apolo.ts';
import { loggedIn } from '../../support/instance.ts';
import { type Api, api } from '../../support/service/api.ts';
import { until } from '../../support/until.ts';

/* The official client forwards several ports of a job at once, under load. */

const PORTS = [8101, 8102, 8103] as const;
/** Each answers with bytes of its own, as many as the path says. */
const SERVERS = `import http.server, threading
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        size = int(self.path[1:]); port = self.server.server_address[1]
        self.send_response(200); self.send_header('Content-Length', str(size)); self.end_headers()
        self.wfile.write(bytes([port % 251]) * size)
    def log_message(self, *a): pass
for p in ${JSON.stringify(PORTS)}:
    threading.Thread(target=http.server.ThreadingHTTPServer(('127.0.0.1', p), H).serve_forever).start()`;
const SIZE = 4_000_000;

describe('apolo port-forward', () => {
  let ann: ApoloClient;
  let platform: Api;
  beforeAll(async () => {
    ann = await loggedIn('ann');
    platform = await api('ann');
  });
  afterAll(() => ann?.close());

  test('three ports carry thirty answers each, eight at a time, all of them whole', async () => {
    const job = await platform.create({ preset_name: 'small', command: `python3 -c "${SERVERS}"` });
    await platform.running(job.id);
    const ports = [];
    for (const remote of PORTS) ports.push({ remote, local: await freePort() });
    const forward = ann.start(['port-forward', job.id, ...ports.map(({ remote, local }) => `${local}:${remote}`)], {
      timeout: 600,
    });
    const get = async (local: number, size: number): Promise<Uint8Array> =>
      new Uint8Array(
        await (
          await fetch(`http://127.0.0.1:${local}/${size}`, { signal: AbortSignal.timeout(120_000) })
        ).arrayBuffer(),
      );
    for (const { local } of ports) {
      await until('the port answers', 60, async (last) => {
        last([forward.stdout(), forward.stderr()]);
        return (await get(local, 1).catch(() => undefined))?.length === 1 ? true : undefined;
      });
    }
    const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    const all = ports.map(async ({ remote, local }) => {
      const expected = digestOf(new Uint8Array(SIZE).fill(remote % 251));
      const left = Array.from({ length: 30 }, (_, nth) => nth);
      const worker = async (): Promise<void> => {
        while (left.pop() !== undefined) expect(digestOf(await get(local, SIZE))).toBe(expected);
      };
      await Promise.all(Array.from({ length: 8 }, worker));
    });
    await Promise.all(all);
    forward.child.kill('SIGKILL');
    await forward.end;
    await ann.ok(['kill', job.id]);
  });
});
