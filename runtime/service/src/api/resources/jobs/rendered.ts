import type { TransitionRow } from '../../../db/schema.ts';
import type { JobNames } from './job-urls.ts';
import { isRunning, jobJson, runTimeSeconds, totalCredits } from './json.ts';
import type { JobVersion, ShownJob } from './shown.ts';

/** Bytes of all texts that are kept. */
const MOST_BYTES = 8 * 2 ** 20;
/** A longer text is not kept: few of them would push out all others. */
const LONGEST = 16 * 2 ** 10;
/**
 * How long one is kept. A version names one state of a row for good, but where the database was set back to an earlier time: then it may
 * come again.
 */
const KEPT_MS = 60_000;
/** What grows while a job runs stands for itself, until the text is sent: no text of a user has a NUL. */
const MARK = '\0';
const WRITTEN_MARK = JSON.stringify(MARK);

interface Text {
  readonly version: string;
  /** The whole text of one that does not run; else what is before, between and after run time and credits. */
  readonly parts: readonly Buffer[];
  readonly bytes: number;
  readonly until: number;
  /** What the parts that grow follow from. */
  readonly runs: Pick<ShownJob, 'ran_seconds' | 'started_at' | 'finished_at' | 'credits_per_hour'>;
}

/**
 * Jobs as clients read them, in JSON, by the state of their rows. Lists show the same jobs again and again, and writing a job's JSON takes
 * a hundred times as long as sending it once more. Who may see a job is asked of the database each time.
 */
export class RenderedJobs {
  readonly #names: JobNames;
  readonly #mostBytes: number;
  readonly #texts = new Map<string, Text>();
  #bytes = 0;

  constructor(names: JobNames, mostBytes = MOST_BYTES) {
    this.#names = names;
    this.#mostBytes = mostBytes;
  }

  /** Of what is kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The text of a job in this state, as it is now; undefined where it is not kept. */
  find({ id, version }: JobVersion): Buffer | undefined {
    const text = this.#texts.get(id);
    if (text === undefined) return undefined;
    this.#drop(id, text);
    if (text.version !== version || text.until < Date.now()) return undefined;
    // The newest ones stand last, and stay longest.
    this.#keep(id, text);
    return now(text);
  }

  /** Writes the text of a job, and keeps it. */
  render(row: ShownJob & JobVersion, transitions: readonly TransitionRow[]): Buffer {
    const { ran_seconds, started_at, finished_at, credits_per_hour, id, version } = row;
    const json = JSON.stringify(jobJson(row, transitions, this.#names, MARK));
    const parts = isRunning(row) ? json.split(WRITTEN_MARK).map(bufferOf) : [bufferOf(json)];
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const runs = { ran_seconds, started_at, finished_at, credits_per_hour };
    const text = { version, parts, bytes, until: Date.now() + KEPT_MS, runs };
    const former = this.#texts.get(id);
    if (former !== undefined) this.#drop(id, former);
    if (bytes <= LONGEST) this.#keep(id, text);
    return now(text);
  }

  #keep(id: string, text: Text): void {
    this.#texts.set(id, text);
    this.#bytes += text.bytes;
    for (const [oldest, each] of this.#texts) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#drop(oldest, each);
    }
  }

  #drop(id: string, text: Text): void {
    this.#texts.delete(id);
    this.#bytes -= text.bytes;
  }
}

/** Of its own: a part of Node's pool would keep all of that part. */
function bufferOf(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}

function now({ parts, runs }: Text): Buffer {
  const [before, between, after] = parts;
  if (before === undefined || between === undefined || after === undefined) return parts[0] ?? Buffer.alloc(0);
  const seconds = runTimeSeconds(runs);
  const grown = [JSON.stringify(seconds), JSON.stringify(totalCredits(runs, seconds))].map((each) => Buffer.from(each));
  return Buffer.concat([before, grown[0] ?? before, between, grown[1] ?? before, after]);
}
