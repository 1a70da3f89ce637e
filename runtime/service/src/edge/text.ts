import { DelosError } from '@delos/core';

/*
 * Text that PostgreSQL can hold: UTF-8 without NUL. Half a surrogate pair is a JavaScript string and JSON can spell it,
 * but it is not UTF-8. All text from outside is checked here, so that the database never has to refuse it.
 */

const DEEPEST = 32;
const NUL = '\0';

/** Why PostgreSQL would refuse this text; undefined where it would not. */
export function textFault(text: string): string | undefined {
  if (text.includes(NUL)) return 'must not hold a NUL character';
  if (!text.isWellFormed()) return 'must be valid Unicode text; it holds half of a surrogate pair';
  return undefined;
}

/** The text with U+FFFD for all that PostgreSQL would refuse. For what nobody can be asked to send again. */
export function cleanText(text: string): string {
  return text.replaceAll(NUL, '\ufffd').toWellFormed();
}

/**
 * Checks every text in a JSON value, keys as well.
 * @throws DelosError ERR_REQUEST naming the first field that is wrong
 */
export function checkTexts(value: unknown, field = '', depth = 0): void {
  if (typeof value === 'string') {
    const fault = textFault(value);
    if (fault !== undefined) throw refused(field, fault);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depth > DEEPEST) throw refused(field.slice(0, 100), 'nested too deeply');
  for (const [key, item] of Object.entries(value)) {
    checkTexts(key, field === '' ? 'name of a field' : field, depth + 1);
    checkTexts(item, field === '' ? key : `${field}.${key}`, depth + 1);
  }
}

/**
 * Reads a query: its keys and values are percent-encoded UTF-8 that PostgreSQL can hold.
 * @throws DelosError ERR_REQUEST naming the first key that is wrong
 */
export function checkedQuery(search: string): URLSearchParams {
  for (const part of search.replace(/^\?/, '').split('&')) {
    const [key = '', ...rest] = part.split('=');
    const field = tryDecode(key.replaceAll('+', ' '));
    if (field === undefined || textFault(field) !== undefined) throw refused('query', 'a key is not valid UTF-8 text');
    const text = tryDecode(rest.join('=').replaceAll('+', ' '));
    const fault = text === undefined ? 'is not percent-encoded UTF-8' : textFault(text);
    if (fault !== undefined) throw refused(field, fault);
  }
  return new URLSearchParams(search);
}

/** Reads one part of a path. @throws DelosError ERR_REQUEST */
export function decodedPath(part: string, field: string): string {
  const text = tryDecode(part);
  const fault = text === undefined ? 'is not percent-encoded UTF-8' : textFault(text);
  if (text === undefined || fault !== undefined) throw refused(field, fault ?? '');
  return text;
}

/**
 * Reads a body. @throws DelosError ERR_REQUEST where it is not UTF-8
 */
export function decodedBody(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new DelosError('ERR_REQUEST', 'the text is not UTF-8', { where: { field: 'body' }, cause });
  }
}

function tryDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function refused(field: string, message: string): DelosError {
  // A field's name is shown, so it must be text itself.
  const shown = field.toWellFormed().replaceAll(NUL, '');
  return new DelosError('ERR_REQUEST', message, shown === '' ? {} : { where: { field: shown } });
}
