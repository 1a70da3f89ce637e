import type { Generated, Selectable } from 'kysely';

export interface SecretTable {
  readonly cluster: string;
  readonly org: string;
  readonly project: string;
  readonly name: string;
  readonly owner: string;
  readonly sealed: Buffer;
  readonly wrapped_key: Buffer;
  readonly key_id: string;
  readonly bytes: number;
  readonly is_text: boolean;
  readonly changed_at: Generated<Date>;
}

export interface JobTokenTable {
  readonly job: string;
  readonly user_id: number;
  readonly digest: string;
  readonly sealed: Buffer;
  readonly wrapped_key: Buffer;
  readonly key_id: string;
}

export type SecretRow = Selectable<SecretTable>;
