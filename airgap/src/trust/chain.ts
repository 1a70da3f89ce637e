import { DO_NOT_USE, type Fault } from '../format/fault.ts';
import { KEYS_FOLDER } from '../format/index-schema.ts';
import { judge } from './judge.ts';
import { type KeyList, keyListBytes, keyListFile, keySignatureFile, parseKeyList } from './key-list.ts';

/** A list of keys as a bundle carries it. */
export interface CarriedList {
  readonly version: number;
  readonly content: Buffer;
  readonly signature: Buffer;
}

/** The list to believe, or why none is. */
export type Trust = { readonly list: KeyList } | { readonly fault: Fault };

/**
 * Walks from the list that the site has pinned to the latest that the bundle carries, each signed by the one before and by
 * itself. The last must not have expired; one that was between may have, since the next one replaces it.
 */
export function latestList(pinned: KeyList, carried: readonly CarriedList[], at: Date): Trust {
  let list = pinned;
  for (const { version, content, signature } of carried.toSorted((a, b) => a.version - b.version)) {
    const file = `${KEYS_FOLDER}/${keyListFile(version)}`;
    const parsed = parseKeyList(content);
    if (parsed?.version !== version) {
      return broken(`${file} is no list of keys of version ${version} in canonical JSON`, file);
    }
    if (version < pinned.version) continue;
    if (version === pinned.version) {
      if (!keyListBytes(pinned).equals(content)) {
        return broken(`${file} is not the list ${version} that is pinned here`, file);
      }
      continue;
    }
    if (version !== list.version + 1) {
      return broken(`list ${list.version + 1} of keys is missing between ${list.version} and ${version}`, file);
    }
    const signatureFile = `${KEYS_FOLDER}/${keySignatureFile(version)}`;
    const signed = { what: 'keys', name: keyListFile(version), content, signature, signatureFile } as const;
    // Times of keys are judged where a bundle is: a list replaces the one before, also where that has long expired.
    const judgement = judge(signed, [list, parsed], undefined);
    if ('fault' in judgement) return judgement;
    list = parsed;
  }
  if (at >= new Date(list.expires)) {
    return {
      fault: {
        kind: 'key-list-expired',
        message: `list ${list.version} of keys is believed until ${list.expires}, and it is ${at.toISOString()} here`,
        todo: 'look at the clock of this machine first, or say by --at what time it is; then ask for a bundle with a newer list',
        expected: list.expires,
        found: at.toISOString(),
      },
    };
  }
  return { list };
}

const broken = (message: string, file: string): Trust => ({
  fault: { kind: 'key-list', message, todo: DO_NOT_USE, file },
});
