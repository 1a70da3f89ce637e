import type { Field, Outcome } from '@delos/audit';
import type { ColumnType, Generated } from 'kysely';

export interface AuditHeadTable {
  readonly one: Generated<boolean>;
  readonly seq: number;
  readonly previous: string;
  readonly hash: string;
}

export interface AuditRecordTable {
  readonly seq: number;
  readonly previous: string;
  /** Its canonical text. */
  readonly record: string;
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly act: string;
  readonly outcome: Outcome;
  readonly request: string;
}

export interface AuditOpeningTable {
  readonly seq: number;
  readonly field: Field;
  readonly salt: string;
  readonly value: string;
}

export interface AuditCheckpointTable {
  readonly seq: number;
  /** Its canonical text. */
  readonly checkpoint: string;
  readonly signature: string;
}

export interface AuditKeyTable {
  readonly name: string;
  readonly public_key: string;
  readonly since: Generated<Date>;
}

/** What operators' commands did, from before there was the chain. */
interface AuditTable {
  readonly id: Generated<number>;
  readonly at: Generated<Date>;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly outcome: string;
  readonly details: ColumnType<Readonly<Record<string, unknown>>, string, string>;
}

export interface AuditSchema {
  readonly audit: AuditTable;
  readonly audit_head: AuditHeadTable;
  readonly audit_records: AuditRecordTable;
  readonly audit_openings: AuditOpeningTable;
  readonly audit_checkpoints: AuditCheckpointTable;
  readonly audit_keys: AuditKeyTable;
}
