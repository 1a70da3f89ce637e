import { readFileSync } from 'node:fs';

/** A secret in a file that changes while the service runs: the kubelet brings what its Secret holds now. */
export interface LiveSecret {
  /** What to show to others. */
  current(): string;
  /**
   * All that is accepted now, the current one first: while it is rotated, the one that comes next lies beside it in
   * `FILE.next`, later the one that was in `FILE.former`.
   */
  accepted(): readonly string[];
}

/** The secret of a file. What was read last holds while the file cannot be read. @throws Error where it never could */
export function liveSecret(file: string): LiveSecret {
  let last = tryText(file);
  if (last === undefined) throw new Error(`${file}: no secret is in it`);
  const current = (): string => {
    last = tryText(file) ?? last;
    return last ?? '';
  };
  return {
    current,
    accepted: () => {
      for (;;) {
        const now = current();
        const all = [now, ...[`${file}.next`, `${file}.former`].flatMap((beside) => tryText(beside) ?? [])];
        // The three change together, and maybe just now.
        if (now === current()) return [...new Set(all)];
      }
    },
  };
}

/** What a setting says: a secret of a file, or one that never changes. */
export const liveOf = (secret: string | LiveSecret): LiveSecret =>
  typeof secret === 'string' ? fixedSecret(secret) : secret;

/** One that never changes. */
const fixedSecret = (text: string): LiveSecret => ({ current: () => text, accepted: () => [text] });

function tryText(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'utf8').trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}
