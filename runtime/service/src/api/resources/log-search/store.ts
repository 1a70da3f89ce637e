import { DelosError } from '@delos/core';

const TIMEOUT_MS = 35_000;
/** What is read of an answer at most. */
const MOST_BYTES = 4 * 2 ** 20;

/** What VictoriaLogs answered, as far as it is read. */
export interface StoreAnswer {
  /** Whole lines. */
  readonly text: string;
  /** There was more. */
  readonly cut: boolean;
}

/**
 * Asks VictoriaLogs.
 * @param path `/select/logsql/query`, or one of `/delete/`
 * @throws DelosError ERR_TIMEOUT where it does not answer
 */
export async function askStore(
  url: string,
  path: string,
  form: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<StoreAnswer> {
  let response: Response;
  let text = '';
  let cut = false;
  try {
    response = await fetch(`${url}${path}`, {
      method: 'POST',
      body: new URLSearchParams(form),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const decoder = new TextDecoder();
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      text += decoder.decode(part, { stream: true });
      // The rest is not read: the newest come first.
      cut = bytes > MOST_BYTES;
      if (cut) break;
    }
  } catch (cause) {
    throw unanswered(cause);
  }
  if (!response.ok) throw unanswered(new Error(`it answered ${response.status}: ${text.slice(0, 200)}`));
  return { text: cut ? text.slice(0, text.lastIndexOf('\n') + 1) : text, cut };
}

const unanswered = (cause: unknown): DelosError =>
  new DelosError('ERR_TIMEOUT', 'the place where logs are searched does not answer', {
    hint: 'ask for less time, or try again in a moment; if it stays: delos logs victoria-logs',
    cause,
  });
