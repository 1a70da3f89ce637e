import { type Composed, MAX_LEVELS, type YamlFault } from './composed.ts';
import { composeSlowly } from './library.ts';
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
  const deep = tooDeep(text);
  if (deep !== undefined)
    return refused({
      kind: 'syntax',
      message: `nested more than ${MAX_LEVELS} levels deep`,
      start: deep,
      end: deep + 1,
    });
  return composeSlowly(text);
}

/** A bound on nesting that is cheap: brackets, and starts of blocks by their indentation. */
function tooDeep(text: string): number | undefined {
  let open = 0;
  const indents: number[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    const line = text.slice(at, end === -1 ? text.length : end);
    const [, blanks = ''] = /^( *)/.exec(line) as RegExpExecArray;
    if (line.trim() !== '') {
      while (indents.length > 0 && (indents.at(-1) as number) >= blanks.length) indents.pop();
      indents.push(blanks.length);
      const dashes = /^(?: *[-?:](?= ))+/.exec(line)?.[0].replace(/ /g, '').length ?? 0;
      for (const char of line) {
        if (char === '[' || char === '{') open += 1;
        else if ((char === ']' || char === '}') && open > 0) open -= 1;
        if (open > 8 * MAX_LEVELS) return at;
      }
      if (indents.length + dashes > 4 * MAX_LEVELS) return at;
    }
    at = end === -1 ? text.length : end + 1;
  }
  return undefined;
}
