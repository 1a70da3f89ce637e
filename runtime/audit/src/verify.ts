import type { KeyObject } from 'node:crypto';
import { commitmentOf, digestOf, hashOf, isSigned, NO_HASH } from './chain.ts';
import { type Chained, type Checkpoint, chained, checkpoint, FIELDS } from './event.ts';

/** What was found. It is whole where there are no faults. */
export interface Verdict {
  readonly records: number;
  readonly checkpoints: number;
  /** What is wrong, each with its place; at most {@link MOST_FAULTS}. */
  readonly faults: readonly string[];
  /** Records that no checkpoint follows: of these alone, nobody could tell that the last ones were cut off. */
  readonly unanchored: number;
  /** Texts that were erased: their commitments are there, and what they were made of is not. */
  readonly erased: number;
}

/** So many are told; what follows a break is mostly its consequence. */
export const MOST_FAULTS = 20;

/**
 * Checks a chain line by line, in memory that does not depend on its length: JSON lines of records, and of checkpoints, each
 * behind the last record that it speaks of.
 */
export class Verifier {
  readonly #keys: readonly KeyObject[];
  readonly #part: boolean;
  /** Checkpoints that were kept elsewhere, by the number of their record. */
  readonly #kept: ReadonlyMap<number, Checkpoint>;
  readonly #faults: string[] = [];
  #seq = 0;
  #hash = NO_HASH;
  #lines = 0;
  #records = 0;
  #checkpoints = 0;
  #unanchored = 0;
  #erased = 0;

  /**
   * @param keys the public ones, of which one has signed each checkpoint
   * @param kept checkpoints that were kept elsewhere: the chain must agree with each
   * @param part it may begin with a checkpoint, whose record and those before it are elsewhere. @default with the first record
   */
  constructor(keys: readonly KeyObject[], kept: readonly Checkpoint[] = [], part = false) {
    this.#keys = keys;
    this.#part = part;
    this.#kept = new Map(kept.map((each) => [each.checkpoint.seq, each]));
    for (const each of kept) this.#checkSignature(each, 'a checkpoint that was kept elsewhere');
  }

  /** The next line; an empty one is passed over. */
  line(text: string): void {
    if (text.trim() === '') return;
    this.#lines += 1;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      this.#fault('is no JSON');
      return;
    }
    const said = checkpoint.safeParse(value);
    const record = chained.safeParse(value);
    if (said.success) this.#checkpoint(said.data);
    else if (record.success) this.#record(record.data);
    else {
      const issue = record.error.issues[0];
      this.#fault(`is neither a record nor a checkpoint: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
    }
  }

  end(): Verdict {
    for (const { checkpoint: said } of this.#kept.values()) {
      if (said.seq > this.#seq) {
        this.#say(
          `the chain ends with record ${this.#seq}, and there was a record ${said.seq} once: its end is missing`,
        );
      }
    }
    return {
      records: this.#records,
      checkpoints: this.#checkpoints,
      faults: this.#faults,
      unanchored: this.#unanchored,
      erased: this.#erased,
    };
  }

  #record({ seq, previous, record, hash, opened }: Chained): void {
    if (seq !== this.#seq + 1) {
      this.#fault(
        seq > this.#seq
          ? `is record ${seq}, and record ${this.#seq + 1} should follow: what lies between is missing`
          : `is record ${seq}, which stands behind record ${this.#seq}`,
      );
    } else if (previous !== this.#hash) {
      this.#fault(`is record ${seq}, whose record before is another one than the one that stands there`);
    }
    if (hashOf(previous, seq, digestOf(record)) !== hash) this.#fault(`is record ${seq}, which was changed`);
    for (const field of FIELDS) {
      const [committed, told] = [record.fields[field], opened[field]];
      if (committed !== undefined && told === undefined) this.#erased += 1;
      if (told !== undefined && (committed === undefined || commitmentOf(field, told) !== committed)) {
        this.#fault(`is record ${seq}, whose ${field} is not what was recorded`);
      }
    }
    this.#records += 1;
    this.#unanchored += 1;
    [this.#seq, this.#hash] = [seq, hash];
    const kept = this.#kept.get(seq)?.checkpoint.hash;
    if (kept !== undefined && kept !== hash) {
      this.#fault(`is record ${seq}, and a checkpoint that was kept elsewhere says that it was another one`);
    }
  }

  #checkpoint(said: Checkpoint): void {
    const { seq, hash } = said.checkpoint;
    this.#checkpoints += 1;
    if (!this.#checkSignature(said, `line ${this.#lines}`)) return;
    if (this.#part && this.#records === 0 && this.#checkpoints === 1) {
      [this.#seq, this.#hash] = [seq, hash];
      return;
    }
    if (seq !== this.#seq) {
      this.#fault(`is a checkpoint of record ${seq}, and stands behind record ${this.#seq}`);
    } else if (hash !== this.#hash) {
      this.#fault(`is a checkpoint which says that record ${seq} was another one`);
    } else this.#unanchored = 0;
  }

  #checkSignature(said: Checkpoint, where: string): boolean {
    if (isSigned(said, this.#keys)) return true;
    this.#say(`${where}: a checkpoint of record ${said.checkpoint.seq} that none of the given keys has signed`);
    return false;
  }

  #fault(what: string): void {
    this.#say(`line ${this.#lines} ${what}`);
  }

  #say(fault: string): void {
    if (this.#faults.length < MOST_FAULTS) this.#faults.push(fault);
  }
}
