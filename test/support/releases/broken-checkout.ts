import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, expectOk } from '../../../peers/src/command.ts';
import { ROOT } from '../house/rooms.ts';

/** Where the services' program says which of them it is. */
const MAIN = 'runtime/service/src/main.ts';

/**
 * This checkout with a fault: its scheduler ends at once. All before it starts, the migrations of the database too. What
 * is not of the services is this checkout's own.
 */
export async function brokenCheckout(): Promise<{ readonly folder: string; readonly remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-broken-'));
  const files = await expectOk(
    execute(['git', 'ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT }),
  );
  for (const file of files.trim().split('\n')) await cp(join(ROOT, file), join(folder, file), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const text = await readFile(join(folder, MAIN), 'utf8');
  const start = `await main(process.argv[2] ?? '');`;
  if (!text.includes(start)) throw new Error(`${MAIN} does not begin as expected`);
  await writeFile(
    join(folder, MAIN),
    text.replace(start, `if (process.argv[2] === 'scheduler') throw new Error('broken by a test');\n${start}`),
  );
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}
