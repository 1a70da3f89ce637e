import { spawn } from 'node:child_process';
import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { askOutward, textOf } from '../../../../cluster/src/toolchain/outward.ts';

const OUTWARD = join(import.meta.dirname, '../../../../cluster/src/toolchain/outward.ts');
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

test('redirects are followed, and not for ever', async () => {
  const base = await serve((request, response) => {
    if (request.url === '/end') response.end('here');
    else response.writeHead(302, { location: request.url === '/loop' ? '/loop' : '/end' }).end();
  });
  expect(await textOf(await askOutward(`${base}/begin`, { limitMs: 5000 }))).toBe('here');
  const looped = await askOutward(`${base}/loop`, { limitMs: 5000 });
  expect(looped.statusCode).toBe(302);
  looped.resume();
});

test('an answer that does not come ends the wait at its limit', async () => {
  const base = await serve(() => undefined);
  await expect(askOutward(`${base}/`, { limitMs: 200 })).rejects.toThrow('no answer within 0.2 s');
});

test('a body that stops coming is an error, not a wait', async () => {
  const base = await serve((_, response) => void response.write('half'));
  const answer = await askOutward(`${base}/`, { limitMs: 300 });
  await expect(textOf(answer)).rejects.toThrow();
});

test('a body without end is not read to memory', async () => {
  const base = await serve((_, response) => void response.end('x'.repeat(5000)));
  await expect(textOf(await askOutward(`${base}/`, { limitMs: 5000 }), 1000)).rejects.toThrow('too long');
});

test('the machine’s proxy is used, unless NO_PROXY names the host', async () => {
  const seen: string[] = [];
  const proxy = await serve((request, response) => {
    seen.push(request.url ?? '');
    response.end('by proxy');
  });
  const origin = await serve((_, response) => void response.end('direct'));
  const ask = (url: string, env: Readonly<Record<string, string>>): Promise<string> => {
    const code = `const { askOutward, textOf } = await import(${JSON.stringify(OUTWARD)});
      process.stdout.write(await textOf(await askOutward(${JSON.stringify(url)}, { limitMs: 5000 })));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    return new Promise((resolve) => child.once('close', () => resolve(output)));
  };
  expect(await ask('http://release.example/file', { HTTP_PROXY: proxy })).toBe('by proxy');
  expect(await ask(`${origin}/`, { HTTP_PROXY: proxy, NO_PROXY: '127.0.0.1' })).toBe('direct');
  expect(seen).toEqual(['http://release.example/file']);
});
