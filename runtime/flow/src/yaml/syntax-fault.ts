import type { YamlFault } from './composed.ts';
import type { Span } from './node.ts';

/** A mistake, and what to do about it. */
export interface Words {
  readonly message: string;
  readonly hint?: string;
}

/** Thrown at the first mistake of a text: what follows it cannot be read with any certainty. */
export class FaultError extends Error {
  readonly fault: YamlFault;
  constructor(fault: YamlFault) {
    super(fault.message);
    this.fault = fault;
  }
}

export function syntaxFault(words: Words, { start, end }: Span): FaultError {
  return new FaultError({ kind: 'syntax', ...words, start, end });
}
