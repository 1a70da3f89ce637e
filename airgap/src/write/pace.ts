/** How far something is, and how long it will take at the pace so far. Told of times, never asks for one. */
export class Pace {
  readonly #total: number;
  readonly #from: number;

  /** @param total bytes @param now milliseconds */
  constructor(total: number, now: number) {
    this.#total = total;
    this.#from = now;
  }

  /** `1.2 of 3.4 GiB, 210 MiB/s, 11 s to go` */
  words(done: number, now: number): string {
    const seconds = Math.max(0.001, (now - this.#from) / 1000);
    const speed = done / seconds;
    const left = speed > 0 ? Math.ceil((this.#total - done) / speed) : 0;
    const unit =
      this.#total >= 2 ** 30 ? ({ bytes: 2 ** 30, name: 'GiB' } as const) : ({ bytes: 2 ** 20, name: 'MiB' } as const);
    const of = (bytes: number): string => (bytes / unit.bytes).toFixed(1);
    return `${of(done)} of ${of(this.#total)} ${unit.name}, ${(speed / 2 ** 20).toFixed(0)} MiB/s, ${duration(left)} to go`;
  }
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
