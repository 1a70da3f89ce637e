/** What became of one job. */
export interface JobOutcome {
  readonly id: string;
  readonly queue: string;
  readonly submittedAt: number;
  /** Its last start. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly preemptions: number;
  readonly how: 'ended' | 'expired' | 'running' | 'waiting';
}
