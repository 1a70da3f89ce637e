/* Lines that readers see in a log where something of it is missing. */

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** @param bytes as the node counts them: with a time before each line */
export function leftOutText(bytes: number): string {
  return `[delos] ${sizeText(bytes)} are left out here: this log is over its limit. Its beginning and its end are kept.`;
}

/** @param bytes how many, as the node counts them; null: nobody knows */
export function lostText(bytes: number | null = null): string {
  if (bytes !== null) return `[delos] ${bytes} bytes are missing here: their node deleted them before they were read.`;
  return '[delos] A part of this log may be missing here: its node deleted it before it was read, or is gone.';
}

/** @param bytes as the node counts them */
export function pieceGoneText(bytes: number): string {
  return `[delos] ${bytes} bytes are missing here: the object storage does not have them any more.`;
}

export const REMOVED_TEXT =
  '[delos] This log was removed: its job ended long ago, or its project needed the room for newer logs.';

function sizeText(bytes: number): string {
  const step = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** step;
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[step]}`;
}
