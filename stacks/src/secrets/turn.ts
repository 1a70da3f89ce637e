import type { SecretSource } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { SecretStore } from './secret-store.ts';

/**
 * A step of a rotation. `next`: another value is accepted beside the one in use. `former`: that other one is in use, and the
 * former one still accepted. `done`: it alone is accepted.
 */
export interface Turn {
  /** `NAMESPACE/SECRET/KEY`. */
  readonly addresses: readonly string[];
  readonly to: 'next' | 'former' | 'done';
}

/** Takes the step, for those that have not taken it yet: a step that was interrupted can be repeated. */
export function takeTurn(store: SecretStore, { addresses, to }: Turn, make: (address: string) => string): void {
  for (const address of addresses) {
    const turn = store.turns[address];
    const present = store.passwords[address];
    if (present === undefined) throw new DelosError('ERR_NOT_FOUND', `the stack keeps no secret ${address}`);
    if (to === 'next' && turn === undefined) {
      store.turns[address] = { phase: 'next', value: make(address) };
    } else if (to === 'former' && turn?.phase === 'next') {
      store.passwords[address] = turn.value;
      store.turns[address] = { phase: 'former', value: present };
    } else if (to === 'done' && turn?.phase === 'former') {
      delete store.turns[address];
    } else {
      continue;
    }
    store.steps[address] = (store.steps[address] ?? 0) + 1;
  }
}

/** Whether a key holds what is made here and can be another. */
export const isRotated = (source: SecretSource): boolean =>
  (source.kind === 'password' || source.kind === 'signing-key') &&
  source.rotation !== undefined &&
  source.rotation.kind !== 'kept';

/** How many of these steps changed what a server accepts: the first and the last step of each rotation do. */
export const serverSteps = (steps: number): number => steps - clientSteps(steps);

/** How many of these steps changed what a client shows: the second step of each rotation does. */
export const clientSteps = (steps: number): number => Math.floor((steps + 1) / 3);
