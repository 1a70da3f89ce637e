import { access, mkdtemp, rmdir } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { execute, expectOk } from './command.ts';

/** A user id without rights, with loopback as its only network. */
export interface LoopbackUser {
  readonly uid: number;
  /** The command line that runs `command` as this user. */
  argv(command: readonly string[]): string[];
  close(): Promise<void>;
}

const TABLE = 'delos_client';
const FIRST_UID = 61_000;

/**
 * @param visible folders under root's home that the user must be able to read. Root's home itself is hidden from it by
 *   an empty file system in a mount namespace of its own: neither state nor credentials of the machine's owner are seen
 */
export async function loopbackUser(visible: readonly string[]): Promise<LoopbackUser> {
  await removeLeftovers();
  const uid = FIRST_UID + (process.pid % 4000);
  const table = `${TABLE}_${process.pid}_${Math.random().toString(36).slice(2, 8)}`;
  await expectOk(
    execute(['nft', '-f', '-'], {
      input: `table inet ${table} {
        chain output {
          type filter hook output priority -300; policy accept;
          meta skuid ${uid} oifname != "lo" counter reject
        }
      }\n`,
    }),
  );
  const stage = await mkdtemp(join(tmpdir(), 'delos-home-'));
  const home = homedir();
  const inside = visible.filter((path) => path.startsWith(`${home}/`));
  const script = `set -e
    stage=$1; home=$2; uid=$3; shift 3
    mount -t tmpfs -o mode=755,size=1m tmpfs "$stage"
    while [ "$1" != -- ]; do mkdir -p "$stage/\${1#"$home"/}"; mount --bind "$1" "$stage/\${1#"$home"/}"; shift; done
    shift
    mount --move "$stage" "$home"
    exec setpriv --reuid="$uid" --regid="$uid" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"`;
  return {
    uid,
    argv: (command) => [
      ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'loopback-user'],
      ...[stage, home, String(uid), ...inside, '--', ...command],
    ],
    close: async () => {
      await execute(['nft', 'delete', 'table', 'inet', table]);
      await rmdir(stage).catch(() => undefined);
    },
  };
}

/** Tables of runs that were killed. */
async function removeLeftovers(): Promise<void> {
  const tables = await expectOk(execute(['nft', 'list', 'tables']));
  for (const [, name = '', pid = ''] of tables.matchAll(new RegExp(`(${TABLE}_(\\d+)_\\w+)`, 'g'))) {
    const alive = await access(`/proc/${pid}`).then(
      () => true,
      () => false,
    );
    if (!alive) await execute(['nft', 'delete', 'table', 'inet', name]);
  }
}
