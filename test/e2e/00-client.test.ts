import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../peers/src/apolo.ts';

describe('the client of these tests', () => {
  let client: ApoloClient;
  const server = createServer((_, response) => response.end('here'));
  beforeAll(async () => {
    client = await apoloClient();
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', () => resolve()));
  });
  afterAll(async () => {
    server.close();
    await client?.close();
  });

  const fetchFrom = (host: string): string =>
    `import urllib.request as u; print(u.urlopen('http://${host}:${(server.address() as AddressInfo).port}', timeout=3).read().decode())`;

  test('is the official one, unmodified', async () => {
    expect(await client.ok(['--version'])).toContain('26.9.0');
  });

  test('reaches loopback', async () => {
    expect((await client.python(fetchFrom('127.0.0.1'))).stdout.trim()).toBe('here');
  });

  test('reaches nothing else', async () => {
    for (const host of ['192.0.2.1', '1.1.1.1']) {
      const { code, stderr } = await client.python(
        `import socket; socket.create_connection(('${host}', 443), timeout=3)`,
      );
      expect(code, host).not.toBe(0);
      expect(stderr).toMatch(/refused|unreachable|not permitted|timed out/i);
    }
  });

  test('has no rights and does not see the home of the machine’s owner', async () => {
    const { stdout } = await client.python(
      `import os; print(os.getuid()); print(sorted(os.listdir(os.environ['OWNER'])))
print([l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')])`,
      { env: { OWNER: process.env.HOME } },
    );
    const [uid, listing, caps] = stdout.trim().split('\n');
    expect(Number(uid)).toBe(client.user.uid);
    expect(listing).not.toContain('.ssh');
    expect(listing).not.toContain('.local');
    expect(caps).toContain("'0000000000000000'");
  });
});
