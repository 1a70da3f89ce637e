import type { JobPhase, JobPodSpec, JobStatus, NodeReport, OrgRole, ProjectRole, Quota, Share } from '@delos/core';
import type { ColumnType, Generated, Kysely, Selectable, Transaction } from 'kysely';
import type { AuditSchema } from './audit/tables.ts';
import type { BucketCredentialBucketTable, BucketCredentialTable, BucketTable } from './buckets/tables.ts';
import type { ClusterCredentialTable, ClusterTable, JoinTokenTable } from './clusters/tables.ts';
import type { CreditsSchema } from './credits/tables.ts';
import type { FlowSchema } from './flow/tables.ts';
import type { JobTokenTable, SecretTable } from './secrets/tables.ts';
import type { GrantTable, OrgMemberTable, PersonQuotaTable, ServiceAccountTable } from './tenancy/tables.ts';

/*
 * The tables of migrations/, as kysely sees them. bigint columns are read as numbers (log lengths and revisions stay
 * far below 2^53), numeric as strings, timestamptz as Date, jsonb as what was written.
 */

export type Db = Kysely<Schema>;
export type Tx = Transaction<Schema>;

/** jsonb: an array must be written as text, or pg takes it for a PostgreSQL array. */
type Json<T> = ColumnType<T, string, string>;
type JsonDefaulted<T> = ColumnType<T, string | undefined, string>;

interface OrganizationTable {
  readonly name: string;
  readonly quota: Json<Quota>;
  readonly share: JsonDefaulted<Share>;
  readonly retired: Generated<boolean>;
  readonly position: Generated<number>;
  /** delos.yaml says it; otherwise administrators made it. */
  readonly declared: Generated<boolean>;
  readonly default_role: Generated<OrgRole>;
}

interface ProjectTable {
  readonly org: string;
  readonly name: string;
  readonly quota: Json<Quota>;
  readonly share: JsonDefaulted<Share>;
  readonly privileged: Generated<boolean>;
  readonly namespace: string;
  readonly retired: Generated<boolean>;
  readonly retired_at: Date | null;
  readonly position: Generated<number>;
  readonly declared: Generated<boolean>;
  readonly default_role: Generated<ProjectRole>;
  readonly is_default: Generated<boolean>;
}

interface MemberTable {
  readonly org: string;
  readonly project: string;
  readonly user_name: string;
  readonly role: ProjectRole;
  readonly share: JsonDefaulted<Share>;
  /** Name of the identity provider whose group gave it; null: delos.yaml. */
  readonly provider: Generated<string | null>;
  readonly declared: Generated<boolean>;
}

interface UserTable {
  readonly id: Generated<number>;
  readonly name: string;
  /** Claim `sub` of this person's tokens; null while it is not known. */
  readonly subject: string | null;
  readonly made_at: Generated<Date>;
  readonly removed_at: Date | null;
  /** Name of the identity provider; null: the platform itself. */
  readonly provider: Generated<string | null>;
  readonly looked_at: Generated<Date | null>;
  /** A program's account, which nobody logs in as. */
  readonly service: Generated<boolean>;
}

interface IdentityProviderTable {
  readonly name: string;
  readonly kind: string;
  readonly problem: string | null;
  readonly away: Generated<boolean>;
  readonly looked_at: Generated<Date>;
  readonly changed_at: Generated<Date>;
}

interface NodeTable {
  readonly cluster: string;
  readonly name: string;
  readonly report: Json<NodeReport>;
  readonly reported_at: Date;
}

interface JobTable {
  readonly id: string;
  readonly cluster: string;
  readonly org: string;
  readonly project: string;
  readonly owner: string;
  readonly name: string | null;
  readonly preset: string;
  /** The request's container as the client sent it: what it is shown again. */
  readonly request: Json<Readonly<Record<string, unknown>>>;
  /** All of the Pod but its pool and node, which admission chooses. */
  readonly spec: Json<Omit<JobPodSpec, 'pool' | 'node'>>;
  readonly description: string | null;
  readonly tags: Generated<string[]>;
  /** -1 low, 0 normal, 1 high. */
  readonly priority: Generated<number>;
  readonly phase: Generated<JobPhase>;
  readonly status: Generated<JobStatus>;
  readonly reason: string | null;
  readonly status_description: string | null;
  readonly exit_code: number | null;
  readonly restarts: Generated<number>;
  readonly preemptible: Generated<boolean>;
  /** The Pod's number: a preempted job has another one later. */
  readonly run: Generated<number>;
  readonly first_attempt: Generated<number>;
  readonly past_pods: Generated<string[]>;
  readonly ran_seconds: Generated<number>;
  readonly pool: string | null;
  /** Where admission expected it to run; `node` is where it does. */
  readonly planned_node: string | null;
  readonly pod_uid: string | null;
  readonly pod_ip: string | null;
  readonly node: string | null;
  readonly stand_in: string | null;
  readonly pull_failing_since: Date | null;
  readonly refusals: Generated<number>;
  readonly retry_at: Date | null;
  /** Why it is held back in the queue whatever room there is; null: it is not. */
  readonly held_for: string | null;
  readonly revision: Generated<number>;
  readonly pools: Generated<string[]>;
  readonly credits_per_hour: Generated<string>;
  readonly schedule_timeout: number | null;
  readonly max_run_time_minutes: number | null;
  readonly created_at: Generated<Date>;
  readonly phase_at: Generated<Date>;
  readonly first_started_at: Date | null;
  readonly admitted_at: Date | null;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly logs_complete: Generated<boolean>;
  readonly logs_removed: Generated<boolean>;
  /** Bytes; null: the configuration's default. */
  readonly log_limit: number | null;
  readonly idempotency_key: string | null;
  /** The client's trace of the request that made it. */
  readonly made_by_trace: string | null;
  /** The bake that the platform carries out for it: it has no Pod. */
  readonly carries: string | null;
}

interface DiskTable {
  readonly id: string;
  readonly cluster: string;
  readonly org: string;
  readonly project: string;
  readonly owner: string;
  readonly name: string | null;
  readonly namespace: string;
  readonly storage: number;
  /** Seconds after its last use; null: kept until it is removed. */
  readonly life_span: number | null;
  readonly phase: Generated<'kept' | 'marked' | 'removing'>;
  readonly status: Generated<'pending' | 'ready' | 'broken'>;
  readonly description: string | null;
  readonly claim_uid: string | null;
  /** Null: any. */
  readonly nodes: string[] | null;
  readonly used_bytes: number | null;
  readonly revision: Generated<number>;
  readonly created_at: Generated<Date>;
  readonly last_used_at: Date | null;
}

interface JobDiskTable {
  readonly job: string;
  readonly disk: string;
  readonly read_only: boolean;
}

interface JobTransitionTable {
  readonly job: string;
  readonly seq: number;
  readonly status: JobStatus;
  readonly reason: string | null;
  readonly description: string | null;
  readonly exit_code: number | null;
  readonly at: Generated<Date>;
}

interface LogStreamTable {
  readonly job: string;
  readonly attempt: number;
  readonly pod_uid: string;
  /** The attempt's number among those of its Pod. */
  readonly pod_attempt: number;
  readonly length: Generated<number>;
  readonly cursor: string | null;
  readonly complete: Generated<boolean>;
  readonly final: Generated<boolean>;
  readonly waiting_bytes: Generated<number>;
  readonly waiting_since: Date | null;
  readonly missing: Generated<number>;
}

interface LogChunkTable {
  readonly job: string;
  readonly attempt: number;
  readonly start: number;
  readonly length: number;
  readonly data: Buffer;
  readonly at: Generated<Date>;
  readonly tail: Generated<boolean>;
  readonly lost: Generated<boolean>;
  readonly missing: number | null;
}

export interface LogObjectTable {
  readonly job: string;
  readonly attempt: number;
  readonly start: number;
  readonly length: number;
  readonly tail: boolean;
  readonly lost: boolean;
  readonly missing: number | null;
  readonly at: Date;
  readonly digest: string;
  readonly state: 'writing' | 'there' | 'removing';
  readonly changed_at: Generated<Date>;
}

interface LogUsageTable {
  readonly job: string;
  readonly head: Generated<number>;
  readonly tail: Generated<number>;
  readonly head_full: Generated<boolean>;
  readonly cut: Generated<boolean>;
  readonly cap: number | null;
}

interface IssuedTokenTable {
  readonly jti: string;
  readonly user_name: string;
  readonly issued_by: string;
  readonly issued_at: Generated<Date>;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
}

interface LoginFailureTable {
  readonly source: string;
  readonly account: string;
  readonly failures: number;
  readonly last_at: Date;
  readonly blocked_until: Date | null;
}

export interface Schema extends FlowSchema, CreditsSchema, AuditSchema {
  readonly organizations: OrganizationTable;
  readonly projects: ProjectTable;
  readonly members: MemberTable;
  readonly org_members: OrgMemberTable;
  readonly person_quotas: PersonQuotaTable;
  readonly grants: GrantTable;
  readonly service_accounts: ServiceAccountTable;
  readonly users: UserTable;
  readonly identity_providers: IdentityProviderTable;
  readonly clusters: ClusterTable;
  readonly nodes: NodeTable;
  readonly join_tokens: JoinTokenTable;
  readonly cluster_credentials: ClusterCredentialTable;
  readonly jobs: JobTable;
  readonly disks: DiskTable;
  readonly job_disks: JobDiskTable;
  readonly buckets: BucketTable;
  readonly bucket_credentials: BucketCredentialTable;
  readonly bucket_credential_buckets: BucketCredentialBucketTable;
  readonly secrets: SecretTable;
  readonly job_tokens: JobTokenTable;
  readonly job_transitions: JobTransitionTable;
  readonly log_streams: LogStreamTable;
  readonly log_chunks: LogChunkTable;
  readonly log_objects: LogObjectTable;
  readonly log_usage: LogUsageTable;
  readonly issued_tokens: IssuedTokenTable;
  readonly login_failures: LoginFailureTable;
}

export type JobRow = Selectable<JobTable>;
export type TransitionRow = Selectable<JobTransitionTable>;
export type DiskRow = Selectable<DiskTable>;
export type BucketRow = Selectable<BucketTable>;
export type BucketCredentialRow = Selectable<BucketCredentialTable>;
export type ProjectRow = Selectable<ProjectTable>;
