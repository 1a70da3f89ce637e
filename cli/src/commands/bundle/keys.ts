import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { keyListBytes, newKeyList, readKeyList, readPrivateKey, readPublicKey, signKeyList } from '@delos/airgap';
import { DelosError } from '@delos/core';
import { writeAtomic } from '@delos/host';
import type { CommandContext } from '../../context.ts';
import { atTime } from './at-time.ts';

export interface KeysOptions {
  readonly out: string;
  readonly until: string;
  readonly from?: string;
  readonly after?: string;
  readonly add?: readonly string[];
  readonly revoke?: readonly string[];
  readonly threshold: number;
  readonly sign?: readonly string[];
}

/** Writes a list of keys: the first, which sites pin, or the next, which keys of the one before sign. */
export async function run(context: CommandContext, options: KeysOptions): Promise<void> {
  const out = resolve(options.out);
  if (existsSync(out)) {
    throw new DelosError('ERR_CONFLICT', `${out} is there`, {
      hint: 'a list of keys is never overwritten: name another file',
    });
  }
  const list = newKeyList({
    after: options.after === undefined ? undefined : readKeyList(options.after),
    add: (options.add ?? []).map(readPublicKey),
    revoke: options.revoke ?? [],
    threshold: options.threshold,
    from: atTime(options.from, '--from'),
    until: atTime(options.until, '--until'),
  });
  const signers = (options.sign ?? []).map(readPrivateKey);
  if (options.after !== undefined && signers.length === 0) {
    throw new DelosError('ERR_USAGE', '--sign KEY is missing', {
      hint: 'a list that replaces another is signed by keys of that one, and by its own: as many of each as each asks for',
    });
  }
  if (signers.length > 0) writeAtomic(`${out}.dsse`, signKeyList(list, signers).toString('utf8'), 0o644);
  writeAtomic(out, keyListBytes(list).toString('utf8'), 0o644);
  const keys = list.keys.map(({ id, until, revoked }) => ({ id, until, revoked: revoked ?? false }));
  context.result(
    { file: out, version: list.version, expires: list.expires, threshold: list.threshold, keys },
    `${out}: list ${list.version}, ${list.threshold} of ${keys.length} keys must sign, until ${list.expires}`,
  );
}
