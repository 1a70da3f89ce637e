import type { Composed, YamlFault } from './composed.ts';
import { readFully } from './full.ts';
import { tryQuick } from './quick.ts';

/** More than any hand writes. */
export const MAX_BYTES = 1024 * 1024;

/** Characters that YAML 1.1 does not allow (section 5.1), as PyYAML checks them. */
const UNPRINTABLE = /[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/** Reads one YAML 1.1 document. Never throws: all that is wrong is in `faults`. */
export function composeYaml(text: string): Composed {
  const refused = (fault: YamlFault): Composed => ({ root: undefined, faults: [fault], duplicates: [] });
  if (text.length > MAX_BYTES) {
    return refused({
      kind: 'text',
      message: `larger than ${MAX_BYTES / 1024} KiB`,
      hint: 'this is hardly the file that was meant',
      start: 0,
      end: 0,
    });
  }
  const bad = UNPRINTABLE.exec(text);
  if (bad !== null) {
    const code = (bad[0].codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return refused({
      kind: 'text',
      message: `the character U+${code} cannot stand in YAML`,
      hint: 'remove it, or write it as an escape in double quotes',
      start: bad.index,
      end: bad.index + 1,
    });
  }
  const quick = tryQuick(text);
  if (quick !== undefined) return { root: quick, faults: [], duplicates: [] };
  return readFully(text);
}
