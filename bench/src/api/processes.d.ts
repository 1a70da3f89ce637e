import { type TestIssuer } from '@delos/test';
import pg from 'pg';
export type ServiceName = 'api' | 'scheduler';
export interface Processes {
  readonly url: string;
  /** Of the listener of agents and collectors. */
  readonly agents: string;
  readonly collectorToken: string;
  readonly token: TestIssuer['token'];
  readonly sql: <Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
  /** Most bytes that each service had in memory since it began. */
  readonly peaks: () => Readonly<Record<ServiceName, number>>;
  /** Seconds of processor time that a service has had. */
  readonly processorSeconds: (service: ServiceName) => number;
  readonly stop: () => Promise<void>;
}
/** @param config of the platform, as `platformConfig` takes it */
export declare function startProcesses(config: unknown): Promise<Processes>;
/** https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
export declare function peakOf(pid: number): number;
/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: utime and stime come 11 and 12 after the name's end. */
export declare function processorSecondsOf(pid: number): number;
