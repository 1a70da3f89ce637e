import { DelosError } from '@delos/core';

/** What may be wrong with a bundle, as scripts tell it apart. */
export type FaultKind =
  | 'file-missing'
  | 'file-unexpected'
  | 'file-kind'
  | 'file-too-long'
  | 'signature-form'
  | 'signature-wrong'
  | 'signature-other'
  | 'signers-too-few'
  | 'key-list'
  | 'key-list-expired'
  | 'clock'
  | 'index-form'
  | 'index-rules'
  | 'pack-missing'
  | 'pack-size'
  | 'pack-entry'
  | 'pack-changed'
  | 'blob-changed'
  | 'manifest'
  | 'base-missing';

/** One thing that is wrong, and what to do. */
export interface Fault {
  readonly kind: FaultKind;
  /** A sentence without its end: what was found and what was expected. */
  readonly message: string;
  /** As an instruction. */
  readonly todo: string;
  /** File of the bundle's folder, with the folders above it. */
  readonly file?: string;
  readonly pack?: string;
  readonly blob?: string;
  readonly expected?: string;
  readonly found?: string;
}

const MOST_SHOWN = 100;

/** One error of one or several faults: the first is told, all are in its data. */
export function bundleError(folder: string, faults: readonly [Fault, ...Fault[]]): DelosError {
  const [first] = faults;
  const more = faults.length === 1 ? '' : ` (and ${faults.length - 1} more: --json lists them)`;
  return new DelosError('ERR_BUNDLE', `${first.message}${more}`, {
    where: { file: first.file === undefined ? folder : `${folder}/${first.file}` },
    hint: first.todo,
    data: { faults: faults.slice(0, MOST_SHOWN), count: faults.length },
  });
}

/** Thrown inside the room where nothing more can be read after a fault. */
export class FaultFound extends Error {
  override readonly name = 'FaultFound';
  readonly fault: Fault;

  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** What to do about a file that differs from what was signed. */
export const COPY_AGAIN = 'copy this one file again from where the bundle was made, then run this again';
export const DO_NOT_USE =
  'do not use this bundle: ask whoever made it for another copy, and tell them what is said here';
