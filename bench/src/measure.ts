/** What `bench --json` prints: raw samples, and the ratio of their medians (up: of their values). */
export interface Measurement {
  readonly name: string;
  readonly ratio: number;
  /** Seconds. */
  readonly ours: readonly number[];
  readonly bare: readonly number[];
}

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const high = sorted[Math.floor(middle)];
  const low = sorted[Math.ceil(middle) - 1];
  if (high === undefined || low === undefined) throw new Error('the median of no samples');
  return (low + high) / 2;
}

/** The document with --json, else words; progress has gone to stderr. */
export function report(measurement: Measurement & Readonly<Record<string, unknown>>, text: string): void {
  process.stdout.write(`${process.argv.includes('--json') ? JSON.stringify(measurement) : text}\n`);
}

/** The number after an option of the command line. */
export function numberOption(name: string, fallback: number): number {
  const value = Number(process.argv[process.argv.indexOf(name) + 1]);
  return process.argv.includes(name) && Number.isInteger(value) && value > 0 ? value : fallback;
}

export const say = (text: string): void => void process.stderr.write(`${text}\n`);
export const seconds = (milliseconds: number): number => Math.round(milliseconds) / 1000;
