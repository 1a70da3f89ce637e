import { isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { ErrorCode } from '../errors/error-codes.ts';
import { DelosError, type Where } from '../errors/errors.ts';

/** A file as it was read; `file` is only named in errors. */
export interface YamlSource {
  readonly file: string;
  readonly text: string;
}

/** Plain data, and where in the file each part of it stands. */
export interface YamlDocument {
  readonly file: string;
  /** Null where the file holds nothing. */
  readonly data: unknown;
  /** Where the value at a path begins; of what is missing, where its nearest ancestor does. */
  readonly valueAt: (path: readonly PropertyKey[]) => Where;
  /** Where the last key of a path stands. */
  readonly keyAt: (path: readonly PropertyKey[]) => Where;
}

/** More than any hand writes; keeps a mistaken file name from filling the memory. */
const LIMIT_BYTES = 1024 * 1024;
/** Aliases may not grow a file beyond what it shows (RFC 9512, section 4). */
const MAX_ALIASES = 100;

/**
 * Parses one YAML 1.2 document and keeps every position.
 * @throws DelosError `code` with line and column, at the first fault; further ones are counted.
 */
export function parseYaml(source: YamlSource, code: ErrorCode = 'ERR_CONFIG_SYNTAX'): YamlDocument {
  const { file, text } = source;
  if (text.length > LIMIT_BYTES) {
    throw new DelosError(code, `larger than ${LIMIT_BYTES / 1024} KiB: this is hardly the file that was meant`, {
      where: { file },
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, prettyErrors: false, stringKeys: true });
  const at = (offset: number): Where => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  const [fault] = document.errors;
  if (fault !== undefined) {
    const more = document.errors.length - 1;
    throw new DelosError(code, inWords(fault.code, fault.message), {
      where: at(fault.pos[0]),
      hint: `correct it there or on the line before${more === 0 ? '' : `; ${more} more faults follow`}`,
    });
  }
  let data: unknown;
  try {
    data = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw new DelosError(code, 'its aliases (*name) cannot be resolved or grow too large', { where: at(0), cause });
  }

  const start = (node: unknown): number | undefined => (isNode(node) ? node.range?.[0] : undefined);
  const find = (path: readonly PropertyKey[]): { readonly key?: unknown; readonly value?: unknown } => {
    let here: { key?: unknown; value?: unknown } = { value: document.contents };
    for (const step of path) {
      const parent: unknown = here.value;
      const next: unknown = isMap(parent)
        ? parent.items.find((pair) => isPair(pair) && isScalar(pair.key) && pair.key.value === String(step))
        : isSeq(parent) && typeof step === 'number'
          ? parent.items[step]
          : undefined;
      if (next === undefined) break;
      here = isPair(next) ? { key: next.key, value: next.value } : { value: next };
    }
    return here;
  };
  return {
    file,
    data,
    valueAt: (path) => {
      const { key, value } = find(path);
      return at(start(value) ?? start(key) ?? 0);
    },
    keyAt: (path) => {
      const { key, value } = find(path);
      return at(start(key) ?? start(value) ?? 0);
    },
  };
}

/** The faults that people make most, said in their terms; the parser's own words for the rest. */
function inWords(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key is already there above';
    case 'TAB_AS_INDENT':
      return 'a tab is used to indent; YAML takes spaces only';
    case 'BAD_INDENT':
      return 'the indentation does not fit the lines above';
    case 'MULTIPLE_DOCS':
      return 'a second document begins here (---); one is expected';
    default:
      return (message.split('\n')[0] ?? message).replace(/ at line \d+, column \d+:?$/, '');
  }
}
