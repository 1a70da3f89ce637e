-- Disks of projects. A disk is a row before it is a claim in the cluster, and until the claim is gone.
--   kept      the agent shall see that its claim is there
--   marked    it was removed, and waits for the jobs that were accepted with it; no further job may mount it
--   removing  the agent shall remove the claim; then the row goes
-- All changes of the phase go through runtime/service/src/db/disks-state.ts.
create table disks (
  id text primary key,
  cluster text not null references clusters (name),
  org text not null,
  project text not null,
  owner text not null,
  name text,
  namespace text not null,
  -- Bytes, as asked for.
  storage bigint not null,
  -- Seconds after its last use; null: kept until it is removed.
  life_span double precision,
  phase text not null default 'kept' check (phase in ('kept', 'marked', 'removing')),
  status text not null default 'pending' check (status in ('pending', 'ready', 'broken')),
  -- What the agent says about its state.
  description text,
  -- The claim that was seen.
  claim_uid text,
  -- Nodes that it can be mounted on; null: any.
  nodes text[],
  used_bytes bigint,
  -- Numbers what the agent is told.
  revision bigint not null default 0,
  created_at timestamptz not null default now(),
  -- When a job last had it, or was accepted with it.
  last_used_at timestamptz,
  foreign key (org, project) references projects (org, name)
);
-- A name is free again once its disk was removed.
create unique index disks_name on disks (cluster, org, project, name) where name is not null and phase = 'kept';
create index disks_listing on disks (cluster, org, project, id);

-- Which disks a job mounts, from its acceptance until it is gone.
create table job_disks (
  job text not null references jobs (id) on delete cascade,
  disk text not null references disks (id) on delete cascade,
  -- It mounts it nowhere for writing.
  read_only boolean not null,
  primary key (job, disk)
);
create index job_disks_disk on job_disks (disk);
