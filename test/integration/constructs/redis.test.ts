import { execFile } from 'node:child_process';
import { delimiter } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startRedis, type TestRedis } from '../../support/service/redis.ts';
import { type RedisProgram, redisProgram } from '../../support/service/redis-program.ts';

/* The construct's own settings and users, judged by the real server. */

const exec = promisify(execFile);
/** By the user's rights; of DEBUG, by the server's own settings. */
const REFUSED = /NOPERM|The user executing the script can't|DEBUG command not allowed/;

let program: RedisProgram;
let redis: TestRedis;
beforeAll(async () => {
  program = await redisProgram();
  redis = await startRedis({
    ann: { commands: ['get', 'set', 'eval'], keys: ['limits:*', 'usage:*'] },
    bob: { commands: ['get'], keys: ['notes:*'] },
  });
});
afterAll(() => redis.stop());

/** What the server answers to one command of a user. The password is never an argument. */
async function answer(
  user: string,
  args: readonly string[],
  { password = redis.password(user), server = redis } = {},
): Promise<string> {
  const cli = 'cli=$(command -v valkey-cli || command -v redis-cli); exec "$cli" --no-auth-warning "$@"';
  const { stdout, stderr } = await exec('sh', ['-c', cli, 'sh', '-p', String(server.port), '--user', user, ...args], {
    env: { ...program.env, PATH: [program.bin, process.env.PATH].join(delimiter), REDISCLI_AUTH: password },
  });
  return (stdout + stderr).trim();
}

describe('a user of the cache', () => {
  test('may do what it named, on keys with the beginnings that it named', async () => {
    expect(await answer('ann', ['set', 'limits:a', '1'])).toBe('OK');
    expect(await answer('ann', ['get', 'limits:a'])).toBe('1');
    expect(await answer('ann', ['eval', "return redis.call('GET', KEYS[1])", '1', 'limits:a'])).toBe('1');
  });

  test.each([
    [['set', 'notes:a', '1']],
    [['get', 'secret']],
    [['get', 'limit']],
    [['eval', "return redis.call('SET', 'notes:a', '1')", '0']],
  ])('does not reach other keys: %j', async (args) => {
    expect(await answer('ann', args)).toMatch(REFUSED);
  });

  test.each([
    ...['config get *', 'keys *', 'flushall', 'flushdb', 'acl list', 'acl whoami', 'client list', 'scan 0', 'info'],
    ...['shutdown nosave', 'debug sleep 0', 'script flush', 'function list', 'monitor', 'slowlog get', 'module list'],
    ...[
      'replicaof no one',
      'swapdb 0 0',
      'randomkey',
      'dbsize',
      'save',
      'migrate 127.0.0.1 1 limits:a 0 10',
      'publish c x',
      'del limits:a',
    ],
  ])('has no other command: %s', async (command) => {
    expect(await answer('ann', command.split(' '))).toMatch(REFUSED);
  });

  test('cannot do by a script what it cannot do itself', async () => {
    expect(await answer('ann', ['eval', "return redis.call('FLUSHALL')", '0'])).toMatch(REFUSED);
    expect(await answer('bob', ['eval', 'return 1', '0'])).toMatch(REFUSED);
  });

  test('is let in with its own password alone', async () => {
    expect(await answer('ann', ['get', 'limits:a'], { password: redis.password('bob') })).toMatch(/WRONGPASS|NOAUTH/);
    expect(await answer('bob', ['get', 'limits:a'])).toMatch(REFUSED);
  });
});

test.each(['next', 'former'] as const)(
  'a user has two passwords while it is rotated: the %s one too',
  async (ending) => {
    const server = await startRedis(
      { ann: { commands: ['set', 'get'], keys: ['limits:*'] } },
      { beside: { ann: { ending, password: 'the-other-one' } } },
    );
    try {
      for (const password of [server.password('ann'), 'the-other-one']) {
        expect(await answer('ann', ['set', 'limits:a', '1'], { server, password })).toBe('OK');
      }
      expect(await answer('ann', ['get', 'limits:a'], { server, password: 'a-third' })).toMatch(/WRONGPASS|NOAUTH/);
    } finally {
      await server.stop();
    }
  },
);

test('who has no user may do nothing, and who asks for the health nothing else', async () => {
  expect(await answer('default', ['ping'], { password: '' })).toMatch(/NOAUTH|WRONGPASS/);
  expect(await answer('default', ['get', 'limits:a'], { password: 'x' })).toMatch(/NOAUTH|WRONGPASS/);
  expect(await answer('health', ['ping'], { password: 'none' })).toBe('PONG');
  expect(await answer('health', ['get', 'limits:a'], { password: 'none' })).toMatch(REFUSED);
});

test('a value that does not fit pushes the least used one out, and is no error', async () => {
  const small = await startRedis(
    { ann: { commands: ['eval', 'set', 'get'], keys: ['limits:*'] } },
    { maxMemory: '4mb' },
  );
  try {
    const fill = "for i = 1, 40 do redis.call('SET', KEYS[1] .. i, string.rep('x', 65536)) end return 'done'";
    for (let round = 0; round < 4; round += 1) {
      expect(await answer('ann', ['eval', fill, '1', `limits:${round}:`], { server: small })).toBe('done');
    }
    expect(await answer('ann', ['set', 'limits:last', 'here'], { server: small })).toBe('OK');
    expect(await answer('ann', ['get', 'limits:last'], { server: small })).toBe('here');
    // Which ones go is drawn among a few, so single keys tell nothing. 4 MiB hold less than 64 of the 160.
    const count = "local n = 0 for i = 1, 40 do if redis.call('GET', KEYS[1] .. i) then n = n + 1 end end return n";
    let left = 0;
    for (let round = 0; round < 4; round += 1) {
      left += Number(await answer('ann', ['eval', count, '1', `limits:${round}:`], { server: small }));
    }
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(64);
  } finally {
    await small.stop();
  }
});

test.each([
  ['empty', ''],
  ['of two lines', 'a\nb'],
])('a password that is %s keeps it from starting, with what to do', async (_, text) => {
  const users = { ann: { commands: ['get'], keys: ['limits:*'] } };
  await expect(startRedis(users, { passwords: { ann: text } })).rejects.toThrow(
    /passwords\/ann\/password holds no password of one line: put one into the Secret/,
  );
});

test('passwords are nowhere but in their files', () => {
  expect(redis.logged()).not.toContain(redis.password('ann'));
});
