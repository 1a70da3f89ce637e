import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveSecret } from './live-secret.ts';

/**
 * The password for the next connection. While it is rotated there are two, of which the server takes one: each connection
 * is begun with the one after that of the last, and one that is refused is begun again.
 */
export function passwordOf(secret: LiveSecret): () => string {
  let turn = 0;
  return () => {
    const all = secret.accepted();
    const picked = all[turn % all.length] ?? '';
    turn = all.length > 1 ? turn + 1 : 0;
    return picked;
  };
}

/** A wrong password (PostgreSQL, appendix A: `invalid_password`). */
const WRONG_PASSWORD = '28P01';
const PASSWORD_ATTEMPTS = 8;
const PASSWORD_PAUSE_MS = 25;

/** Opens a connection again that was refused for its password. */
export async function withRightPassword<T>(open: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await open();
    } catch (error) {
      const wrong = error instanceof Error && 'code' in error && error.code === WRONG_PASSWORD;
      if (!wrong || attempt === PASSWORD_ATTEMPTS) throw error;
      await sleep(PASSWORD_PAUSE_MS * attempt * Math.random());
    }
  }
}
