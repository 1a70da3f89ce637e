import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Assignments } from '../../../../cluster/src/netpol/assignments.ts';
import { type GateRequest, serveGate } from '../../../../cluster/src/netpol/gate.ts';

let folder = '';
let server: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'delos-gate-'));
});
afterEach(() => {
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

async function ask(line: string): Promise<unknown> {
  const socket = createConnection(join(folder, 'gate.sock'));
  socket.write(line);
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk);
  return JSON.parse(text);
}

const ADD = { command: 'add', container: 'c1', namespace: 'red', name: 'a', uid: 'u1', ip: '10.0.0.2' } as const;

test('a request is a line of JSON and so is its answer', async () => {
  const seen: GateRequest[] = [];
  server = await serveGate(join(folder, 'gate.sock'), async (request) => {
    seen.push(request);
    return { ok: true };
  });
  expect(await ask(`${JSON.stringify(ADD)}\n`)).toEqual({ ok: true });
  expect(seen).toEqual([ADD]);
});

test.each([
  ['no JSON', 'hello\n'],
  ['an unknown command', '{"command":"open"}\n'],
  ['no address', `${JSON.stringify({ ...ADD, ip: 'here' })}\n`],
])('%s is refused with a reason', async (_, line) => {
  server = await serveGate(join(folder, 'gate.sock'), async () => ({ ok: true }));
  expect(await ask(line)).toMatchObject({ ok: false, error: expect.any(String) });
});

test('an answer that fails is a refusal', async () => {
  server = await serveGate(join(folder, 'gate.sock'), async () => {
    throw new Error('no kernel');
  });
  expect(await ask(`${JSON.stringify(ADD)}\n`)).toEqual({ ok: false, error: 'no kernel' });
});

test('the socket is for its owner alone, and one that a killed process left is replaced', async () => {
  const path = join(folder, 'gate.sock');
  writeFileSync(path, '');
  server = await serveGate(path, async () => ({ ok: true }));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await ask('{"command":"status"}\n')).toEqual({ ok: true });
});

test('sandboxes outlive the process that noted them, and a deleted one is forgotten', () => {
  const { command: _, ...sandbox } = ADD;
  const first = new Assignments(folder);
  first.put(sandbox);
  first.put({ ...sandbox, container: 'c2', ip: '10.0.0.3' });
  first.delete('c1');
  const second = new Assignments(folder);
  expect(second.values()).toEqual([{ ...sandbox, container: 'c2', ip: '10.0.0.3', order: 2 }]);
  second.put({ ...sandbox, container: 'c3' });
  expect(second.get('c3')?.order).toBe(3);
});

test('a note that is broken, half written or of another network namespace is thrown away', () => {
  const { command: _, ...sandbox } = ADD;
  writeFileSync(join(folder, 'c4.json'), '{');
  writeFileSync(join(folder, 'c5.json.new'), '{}');
  writeFileSync(join(folder, 'c1.json'), JSON.stringify({ ...sandbox, order: 1, network: 'net:[1]' }));
  expect(new Assignments(folder).values()).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test('a sandbox name that is a path is refused', () => {
  const { command: _, ...sandbox } = ADD;
  expect(() => new Assignments(folder).put({ ...sandbox, container: '../../etc/x' })).toThrow();
});
