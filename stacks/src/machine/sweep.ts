import { removePart } from './apply.ts';
import { word } from './facts.ts';
import { RECORDS } from './part.ts';
import { KEPT } from './script.ts';
import type { Connection } from './ssh.ts';

/** Takes every part from the machine that is not named, but for its data. */
export async function removeOthers(
  connection: Connection,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const listed = await lines(connection, `ls ${RECORDS}/parts 2>/dev/null || :`, signal);
  const others = listed.filter((name) => /^[a-z][a-z0-9-]*$/.test(name) && !names.includes(name));
  // The firewall, whose name comes late, goes after what it lets in.
  for (const name of others) {
    await removePart(connection, { name, needs: [], files: {}, trees: {}, units: {}, data: [] }, signal);
  }
}

/** Folders with data that the machine's records name, also of parts that have gone. */
export const dataOf = (connection: Connection, signal: AbortSignal): Promise<readonly string[]> =>
  lines(connection, `{ cat ${KEPT}; sed -n 's/^data\\t//p' ${RECORDS}/parts/*; } 2>/dev/null | sort -u`, signal);

/** Takes every part from the machine, and deletes these folders. */
export async function removeAll(connection: Connection, data: readonly string[], signal: AbortSignal): Promise<void> {
  await removeOthers(connection, [], signal);
  const ours = data.filter((path) => /^\/var\/lib\/(private\/)?delos-[a-z-]+$/.test(path));
  if (ours.length > 0)
    await lines(connection, `rm -rf ${ours.map(word).join(' ')} ${KEPT}; rmdir ${RECORDS} 2>/dev/null || :`, signal);
}

async function lines(connection: Connection, line: string, signal: AbortSignal): Promise<readonly string[]> {
  const { code, stdout, stderr } = await connection.run(line, '', signal);
  if (code !== 0) throw new Error(stderr.trim() || `the machine answered with exit code ${code}`);
  return stdout.split('\n').filter((text) => text !== '');
}
