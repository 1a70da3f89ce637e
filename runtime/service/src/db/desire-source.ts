import type { DesireOf, Kind, ReportOf } from '@delos/core';
import type { Notifications } from './notifications.ts';
import type { Db, Tx } from './schema.ts';

/** Where desires of one kind come from, and where reports of it go. */
export interface DesireSource<K extends Kind> {
  readonly kind: K;
  /** Everything that the agent of a cluster is to know when it connects, page by page. A page has bounded bytes. */
  readonly list: (db: Db | Tx, cluster: string) => AsyncIterable<readonly DesireOf<K>[]>;
  /** The desires of these, page by page; those of which nothing is desired, and those of another cluster, are left out. */
  readonly find: (db: Db | Tx, cluster: string, ids: readonly string[]) => AsyncIterable<readonly DesireOf<K>[]>;
  /** Calls back with the id of each one in the cluster whose desire may have changed. @returns what ends that */
  readonly onChange: (notifications: Notifications, cluster: string, changed: (id: string) => void) => () => void;
  /** Late, repeated and foreign reports change nothing; neither do those of another cluster. */
  readonly record: (tx: Tx, cluster: string, report: ReportOf<K>) => Promise<void>;
}
