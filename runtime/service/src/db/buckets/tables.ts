import type { Generated } from 'kysely';

/* The tables of buckets, as kysely sees them. */

export interface BucketTable {
  readonly id: string;
  readonly org: string;
  readonly project: string;
  readonly owner: string;
  readonly name: string | null;
  readonly phase: Generated<'making' | 'kept' | 'removing'>;
  readonly public: Generated<boolean>;
  readonly policy_due: Generated<boolean>;
  readonly created_at: Generated<Date>;
  readonly phase_at: Generated<Date>;
  /** Who has it, where the platform's own object storage has it not; what follows is null with it. */
  readonly provider: string | null;
  readonly provider_bucket: string | null;
  readonly sealed: Buffer | null;
  readonly wrapped_key: Buffer | null;
  readonly key_id: string | null;
}

export interface BucketCredentialTable {
  readonly id: string;
  readonly user_id: number;
  readonly owner: string;
  readonly name: string | null;
  readonly read_only: boolean;
  readonly access_key: string;
  readonly created_at: Generated<Date>;
}

export interface BucketCredentialBucketTable {
  readonly credential: string;
  readonly bucket: string;
}
