import { resolve } from 'node:path';
import { type OpenBundle, openBundle, readKeyList } from '@delos/airgap';
import { DelosError } from '@delos/core';
import { atTime } from './at-time.ts';
import { faultTold } from './fault-told.ts';

export interface TrustOptions {
  readonly trust?: string;
  readonly at?: string;
}

/** A bundle whose signature has been judged by the list that the site has pinned. @throws DelosError ERR_BUNDLE, ERR_USAGE */
export async function opened(folder: string, options: TrustOptions): Promise<OpenBundle> {
  if (options.trust === undefined) {
    throw new DelosError('ERR_USAGE', '--trust FILE is missing', {
      hint: 'the list of keys that this site believes, which it got by another way than the bundle: `delos bundle keys` makes one',
    });
  }
  const trust = { pinned: readKeyList(options.trust), at: atTime(options.at, '--at') };
  return faultTold(resolve(folder), () => openBundle(resolve(folder), trust));
}
