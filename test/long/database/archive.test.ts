import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { newKey } from '../../../cli/src/commands/backup/keys.ts';
import { giveUpScript } from '../../../cli/src/commands/restore-time/scripts.ts';
import { ArchivedDatabase } from '../../support/database/archive.ts';
import { until } from '../../support/until.ts';

/* The program of the archive between a real PostgreSQL and the real object storage, and the recovery as the Pod does it. */

let database: ArchivedDatabase | undefined;
afterEach(async () => {
  await database?.stop();
  database = undefined;
});
const started = async (...args: Parameters<typeof ArchivedDatabase.start>): Promise<ArchivedDatabase> => {
  database = await ArchivedDatabase.start(...args);
  return database;
};

const now = async (of: ArchivedDatabase): Promise<string> =>
  z(await of.sql(`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`));
const z = (rows: readonly Record<string, unknown>[]): string => String(rows[0]?.at);
const rows = async (of: ArchivedDatabase): Promise<readonly number[]> =>
  (await of.sql('select id from things order by id')).map(({ id }) => Number(id));
/** Several segments of log. */
const fill = (of: ArchivedDatabase, megabytes: number) =>
  of.sql(
    `create table if not exists much (text text); insert into much select repeat(md5(n::text), 30) from generate_series(1, ${megabytes * 1000}) n`,
  );
const logFiles = async (of: ArchivedDatabase): Promise<readonly string[]> => {
  const found = await readdir(join(of.storage.data, 'database-archive'), { recursive: true });
  return found.filter((name) => /\/log\/[0-9A-F]{24}\.zst/.test(name)).sort();
};

test('goes back to exactly the rows of a time, with many segments and none in between, and from there to a later time', async () => {
  const of = await started();
  await of.sql('create table things (id int)');
  await of.based();
  await of.sql('insert into things values (1), (2)');
  await fill(of, 40);
  const first = await now(of);
  await of.sql('insert into things values (3)');
  await of.sql('delete from things where id = 1');
  const second = await now(of);
  await of.sql('delete from things');
  await of.flush();
  await of.goBack(first);
  expect(await rows(of)).toEqual([1, 2]);
  // The history goes on as another one, and what was left of the former one can still be had.
  await of.based(2);
  await of.sql('insert into things values (7)');
  const third = await now(of);
  await of.goBack(second);
  expect(await rows(of)).toEqual([2, 3]);
  await of.based(3);
  await of.goBack(third);
  expect(await rows(of)).toEqual([1, 2, 7]);
});

test('a time after the last commit is one where nothing was committed since', async () => {
  const of = await started();
  await of.sql('create table things (id int); insert into things values (1)');
  await of.based();
  await sleep(1500);
  const idle = await now(of);
  expect((await of.flush()) >= idle).toBe(true);
  await of.goBack(idle);
  expect(await rows(of)).toEqual([1]);
});

test('killed and started again at any instant, the archive goes on where it was, in one history', async () => {
  const of = await started({ withinSeconds: 1 });
  await of.sql('create table things (id int)');
  await of.based();
  for (let nth = 0; nth < 12; nth += 1) {
    await of.endArchive('SIGKILL');
    await of.archive();
    const writing = fill(of, 6);
    await sleep(nth * 60);
    await of.sql(`insert into things values (${nth})`);
    await writing;
  }
  const time = await until('the archive follows again', 30, () => of.flush().catch(() => undefined));
  const sets = await of.points();
  expect(sets).toHaveLength(1);
  expect(sets[0]?.missing).toEqual([]);
  await of.goBack(time);
  expect(await rows(of)).toEqual(Array.from({ length: 12 }, (_, nth) => nth));
});

test('a server that is killed, or told to end, goes on in the same history, and is not kept from ending', async () => {
  const of = await started();
  await of.sql('create table things (id int)');
  await of.based();
  await of.sql('insert into things values (1)');
  await of.down('SIGKILL');
  await of.up();
  await fill(of, 20);
  await until('the archive follows again', 30, () => of.flush().catch(() => undefined));
  await of.sql('insert into things values (2)');
  expect(await of.down('SIGINT')).toBeLessThan(15);
  await of.up();
  const time = await until('the archive follows again', 30, () => of.flush().catch(() => undefined));
  expect(await of.points()).toHaveLength(1);
  await of.goBack(time);
  expect(await rows(of)).toEqual([1, 2]);
});

test('while the object storage is away the database serves, keeps its log up to a bound, and can end; after more a new history begins', async () => {
  const of = await started();
  await of.sql('create table things (id int)');
  await of.based();
  await of.storage.kill();
  await fill(of, 20);
  await of.sql('insert into things values (1)');
  expect((await of.command('flush')).code).toBe(1);
  await of.storage.up();
  const short = await until('the archive follows again', 60, () => of.flush().catch(() => undefined));
  expect(await of.points()).toHaveLength(1);
  await of.storage.kill();
  await of.endArchive();
  await of.archive();
  for (let nth = 0; nth < 8; nth += 1) {
    await fill(of, 40);
    await of.sql('checkpoint');
  }
  const kept = (await readdir(join(of.data, 'pg_wal'))).filter((name) => /^[0-9A-F]{24}$/.test(name));
  expect(kept.length * 16).toBeLessThan(300);
  await of.storage.up();
  const sets = await of.based(2);
  expect(sets).toHaveLength(2);
  expect(of.logged()).toMatch(/a new set begins: .*(has already been removed|can no longer|invalidated)/);
  await of.goBack(short);
  expect(await rows(of)).toEqual([1]);
});

test('a segment that is missing is named, and a recovery without it leaves the database as it was', async () => {
  const of = await started();
  await of.sql('create table things (id int); insert into things values (1)');
  const [before] = await of.based();
  await fill(of, 60);
  await of.sql('insert into things values (2)');
  const time = await of.flush();
  const files = await logFiles(of);
  const lost = files[2] ?? '';
  await rm(join(of.storage.data, 'database-archive', lost));
  const name = /[0-9A-F]{24}/.exec(lost)?.[0];
  expect((await of.points())[0]?.missing.map(({ segment }) => segment)).toEqual([name]);
  const said = await of.command('log', before?.set ?? '', before?.bases[0]?.id ?? '', time);
  expect([said.code, said.stderr]).toEqual([1, expect.stringContaining(`lacks the segment ${name} of the log`)]);
  await of.down();
  await expect(of.recover(before?.set ?? '', before?.bases[0]?.id ?? '', time)).rejects.toThrow('log');
  await of.script(giveUpScript(of.volume));
  await of.up();
  expect(await rows(of)).toEqual([1, 2]);
});

test('what is encrypted opens with its key alone, and another key begins another history', async () => {
  const of = await started();
  await of.based();
  await of.endArchive();
  const [key, other] = [join(of.folder, 'key'), join(of.folder, 'other')];
  const recipient = await newKey(key);
  await newKey(other);
  await of.archive({ keyFile: key });
  await of.sql('create table things (id int); insert into things values (1)');
  const sealed = await until('there is an encrypted base backup', 60, async () =>
    (await of.points()).find((set) => set.recipient === recipient),
  );
  const time = await of.flush();
  const wrong = await (async () => {
    await of.endArchive();
    await of.archive({ keyFile: other });
    await of.based(3);
    return (await of.points()).find((set) => set.set === sealed.set);
  })();
  expect(wrong).toMatchObject({ opens: false, recipient });
  const refused = await of.command('base', sealed.set, sealed.bases[0]?.id ?? '');
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining('is encrypted for another key than the given one'),
  ]);
  // Both keys: the first encrypts, all open.
  const both = join(of.folder, 'both');
  const { readFile } = await import('node:fs/promises');
  await writeFile(both, `${await readFile(other, 'utf8')}${await readFile(key, 'utf8')}`);
  await of.endArchive();
  await of.archive({ keyFile: both });
  await until('the archive follows again', 30, () => of.flush().catch(() => undefined));
  expect((await of.points()).map(({ opens }) => opens)).toEqual([true, true, true]);
  await of.down();
  expect((await of.recover(sealed.set, sealed.bases[0]?.id ?? '', time)).code).toBe(0);
});

test('what is older than one wants to go back is removed, and the rest can be gone back to', async () => {
  const of = await started({ baseSeconds: 3, keepSeconds: 6, withinSeconds: 1 });
  await of.sql('create table things (id int)');
  await of.based();
  const [first] = await of.points();
  await fill(of, 40);
  for (let nth = 0; nth < 8; nth += 1) {
    await of.sql(`insert into things values (${nth})`);
    await sleep(2000);
  }
  const [later] = await of.points();
  expect(later?.bases[0]?.id).not.toBe(first?.bases[0]?.id);
  expect(later?.bases.length).toBeLessThan(6);
  expect(later?.missing).toEqual([]);
  const time = await of.flush();
  await of.goBack(time);
  expect(await rows(of)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
