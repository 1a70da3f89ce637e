import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tokenCheck } from '../../../runtime/service/src/api/agents/tokens.ts';
import { liveOf, liveSecret } from '../../../runtime/service/src/live-secret.ts';
import { passwordOf, withRightPassword } from '../../../runtime/service/src/right-password.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'delos-secret-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const file = (): string => join(folder, 'token');
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);

describe('a secret of a file', () => {
  test('is what the file says now, and two are accepted while one lies beside it', () => {
    write('token', 'one\n');
    const secret = liveSecret(file());
    expect([secret.current(), secret.accepted()]).toEqual(['one', ['one']]);
    write('token.next', 'two\n');
    expect([secret.current(), secret.accepted()]).toEqual(['one', ['one', 'two']]);
    write('token', 'two\n');
    renameSync(join(folder, 'token.next'), join(folder, 'token.former'));
    write('token.former', 'one\n');
    expect([secret.current(), secret.accepted()]).toEqual(['two', ['two', 'one']]);
    rmSync(join(folder, 'token.former'));
    expect(secret.accepted()).toEqual(['two']);
  });

  test('stays what it was while its file is away or empty, and must be there at first', () => {
    write('token', 'one');
    const secret = liveSecret(file());
    rmSync(file());
    expect(secret.current()).toBe('one');
    write('token', '\n');
    expect(secret.current()).toBe('one');
    expect(() => liveSecret(join(folder, 'none'))).toThrow('no secret is in it');
    expect(liveOf('plain').accepted()).toEqual(['plain']);
  });
});

test('a token opens its endpoints while it is accepted, and nothing afterwards', async () => {
  write('token', 'agent-one');
  const check = tokenCheck({
    cluster: 'default',
    tokens: { agent: liveSecret(file()), collector: 'collector' },
    joined: async () => undefined,
  });
  const opens = async (token: string): Promise<boolean> => {
    try {
      await check('/internal/agent/v1/connect', `Bearer ${token}`);
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_UNAUTHENTICATED' });
      return false;
    }
  };
  const looked = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 600));
  expect([await opens('agent-one'), await opens('agent-two')]).toEqual([true, false]);
  write('token.next', 'agent-two');
  await looked();
  expect([await opens('agent-one'), await opens('agent-two')]).toEqual([true, true]);
  write('token', 'agent-two');
  rmSync(join(folder, 'token.next'));
  await looked();
  expect([await opens('agent-one'), await opens('agent-two')]).toEqual([false, true]);
  await expect(check('/internal/agent/v1/connect', 'Bearer collector')).rejects.toThrow("only the agent's token");
});

describe('a connection to a database', () => {
  const wrong = (): Error => Object.assign(new Error('password authentication failed'), { code: '28P01' });

  test.each([1, 2, 20])('is opened while its password changes, %i at once', async (many) => {
    let right = 'one';
    write('token', 'one');
    write('token.next', 'two');
    const password = passwordOf(liveSecret(file()));
    const open = (): Promise<string> =>
      withRightPassword(async () => {
        const given = password();
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (given !== right) throw wrong();
        return given;
      });
    const all = (): Promise<readonly string[]> => Promise.all(Array.from({ length: many }, open));
    expect(new Set(await all())).toEqual(new Set(['one']));
    right = 'two';
    expect(new Set(await all())).toEqual(new Set(['two']));
  });

  test('that no password opens fails with the server’s words, and any other fault at once', async () => {
    let attempts = 0;
    await expect(withRightPassword(() => Promise.reject(wrong()))).rejects.toThrow('password authentication failed');
    const other = (): Promise<never> => {
      attempts += 1;
      return Promise.reject(new Error('refused'));
    };
    await expect(withRightPassword(other)).rejects.toThrow('refused');
    expect(attempts).toBe(1);
  });
});
