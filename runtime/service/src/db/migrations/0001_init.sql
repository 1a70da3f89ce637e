-- Names are the API's. Money and credits are numeric; memory is bytes; times are timestamptz.

create table organizations (
  name text primary key,
  quota jsonb not null default '{}',
  -- No longer in the configuration, kept for its jobs' history.
  retired boolean not null default false,
  -- Place in the configuration: the first is a user's default.
  position int not null default 0
);

create table projects (
  org text not null references organizations (name),
  name text not null,
  quota jsonb not null default '{}',
  privileged boolean not null default false,
  namespace text not null unique,
  retired boolean not null default false,
  position int not null default 0,
  primary key (org, name)
);

create table members (
  org text not null,
  project text not null,
  user_name text not null,
  role text not null check (role in ('admin', 'manager', 'writer', 'reader')),
  primary key (org, project, user_name),
  foreign key (org, project) references projects (org, name)
);

create table clusters (
  name text primary key,
  pools jsonb not null,
  presets jsonb not null,
  last_seen_at timestamptz
);

create table nodes (
  cluster text not null references clusters (name),
  name text not null,
  report jsonb not null,
  reported_at timestamptz not null,
  primary key (cluster, name)
);

-- A job is a row before it is anything else. `phase` is the runtime's own state, `status` what the client sees:
--   queued    waits for admission            (pending, or suspended when it ran before)
--   admitted  the agent shall make its Pod   (pending)
--   running   its container runs             (running)
--   stopping  was told to end; status, reason and end time are set, its container still winds down   (terminal)
--   ended     its container has ended, the log may still be on its way   (terminal)
--   archived  log sealed, Pod may go         (terminal)
--   gone      no Pod; nothing more happens   (terminal)
-- A job that is told to end while queued is gone at once. All changes go through runtime/src/db/jobs-state.ts.
create table jobs (
  id text primary key,
  cluster text not null references clusters (name),
  org text not null,
  project text not null,
  owner text not null,
  name text,
  preset text not null,
  request jsonb not null,
  spec jsonb not null,
  description text,
  tags text[] not null default '{}',
  priority smallint not null default 0,
  phase text not null default 'queued'
    check (phase in ('queued', 'admitted', 'running', 'stopping', 'ended', 'archived', 'gone')),
  status text not null default 'pending'
    check (status in ('pending', 'suspended', 'running', 'succeeded', 'failed', 'cancelled')),
  reason text,
  status_description text,
  exit_code int,
  restarts int not null default 0,
  pool text,
  pod_uid text,
  pod_ip text,
  node text,
  stand_in text,
  -- Grows with each change of phase; numbers what the agent is told.
  revision bigint not null default 0,
  -- Pools that may hold it, from its preset when it was made; empty: any.
  pools text[] not null default '{}',
  credits_per_hour numeric not null default 0,
  -- Seconds from creation until it must run; null: no limit.
  schedule_timeout double precision,
  -- Null: no limit.
  max_run_time_minutes int,
  created_at timestamptz not null default now(),
  phase_at timestamptz not null default now(),
  admitted_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  logs_complete boolean not null default false,
  idempotency_key text unique,
  foreign key (org, project) references projects (org, name)
);
create index jobs_queue on jobs (cluster, priority desc, created_at, id) where phase = 'queued';
create index jobs_active on jobs (cluster, phase) where phase in ('admitted', 'running', 'stopping', 'ended', 'archived');
create index jobs_listing on jobs (cluster, org, project, created_at desc);
create index jobs_by_name on jobs (org, project, name, created_at desc) where name is not null;
-- One live job a name, in a project.
create unique index jobs_live_name on jobs (cluster, org, project, name)
  where name is not null and status in ('pending', 'suspended', 'running');

create table job_transitions (
  job text not null references jobs (id) on delete cascade,
  seq int not null,
  status text not null,
  reason text,
  description text,
  exit_code int,
  at timestamptz not null default now(),
  primary key (job, seq)
);

-- Container log bytes as the kubelet keeps them, gzipped chunk by chunk; `start` counts bytes within the attempt.
create table log_streams (
  job text not null references jobs (id) on delete cascade,
  attempt int not null,
  pod_uid text not null,
  length bigint not null default 0,
  -- The collector's own note of where in which file the archived bytes end.
  cursor text,
  -- False once bytes are known to be missing.
  complete boolean not null default true,
  final boolean not null default false,
  primary key (job, attempt)
);
create table log_chunks (
  job text not null,
  attempt int not null,
  start bigint not null,
  length int not null,
  data bytea not null,
  at timestamptz not null default now(),
  primary key (job, attempt, start),
  foreign key (job, attempt) references log_streams (job, attempt) on delete cascade
);

create table issued_tokens (
  jti text primary key,
  user_name text not null,
  issued_by text not null,
  issued_at timestamptz not null default now(),
  expires_at timestamptz not null,
  revoked_at timestamptz
);

create table audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  actor text not null,
  action text not null,
  target text not null,
  outcome text not null,
  details jsonb not null default '{}'
);
