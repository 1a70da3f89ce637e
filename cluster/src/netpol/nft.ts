import { spawn } from 'node:child_process';
import { DelosError } from '@delos/core';
import { parseListing } from './listing.ts';
import type { Table } from './table.ts';

/** Longest that one run of nft may take, ms; a whole table of 200 Pods and 1000 policies took 0.9 s. */
const LIMIT_MS = 30_000;

/** The kernel's packet filter, by way of nft(8). */
export interface Nft {
  /** Runs a script as one transaction: all of it or, on error, nothing. @throws DelosError ERR_INTERNAL */
  apply(script: string): Promise<void>;
  /** Undefined when there is no such table. @throws DelosError ERR_INTERNAL */
  list(table: string): Promise<Table | undefined>;
}

export const nft: Nft = {
  async apply(script) {
    const { code, stderr } = await run(['-f', '-'], script);
    if (code !== 0) throw failure('nft refused a transaction', stderr);
  },
  async list(table) {
    const { code, stdout, stderr } = await run(['-s', 'list', 'table', 'inet', table], '');
    if (code === 0) return parseListing(stdout);
    if (stderr.includes('No such file or directory')) return undefined;
    throw failure(`nft cannot list table inet ${table}`, stderr);
  },
};

function failure(message: string, stderr: string): DelosError {
  return new DelosError('ERR_INTERNAL', `${message}: ${stderr.trim().split('\n').slice(0, 3).join('; ')}`);
}

async function run(
  args: readonly string[],
  input: string,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const child = spawn('nft', args, { env, stdio: ['pipe', 'pipe', 'pipe'], timeout: LIMIT_MS, killSignal: 'SIGKILL' });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // nft may end, on a bad script, before it has read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject).on('close', resolve);
  try {
    return { code: await promise, stdout, stderr };
  } catch (cause) {
    throw new DelosError('ERR_INTERNAL', 'nft could not be started', { cause, hint: 'install the package nftables' });
  }
}
