-- Bakes that are made again and again. All changes go through runtime/service/src/api/schedules.
create table flow_schedules (
  id text primary key,
  org text not null,
  project text not null,
  name text not null,
  -- Whose jobs they are: a person, for good.
  owner integer not null,
  -- Null: it is triggered alone.
  cron text,
  time_zone text not null,
  missed text not null check (missed in ('skip', 'once', 'all')),
  overlap boolean not null,
  -- What is baked, as it was sent.
  bake jsonb not null,
  -- Runs up to here were decided on.
  after_at timestamptz not null default now(),
  next_at timestamptz,
  -- The secret that triggers are signed with; null: none are taken.
  sealed bytea,
  wrapped_key bytea,
  key_id text,
  created_at timestamptz not null default now(),
  foreign key (org, project) references projects (org, name) on delete cascade
);
create unique index flow_schedules_name on flow_schedules (org, project, name);
create index flow_schedules_due on flow_schedules (next_at) where next_at is not null;

create table flow_schedule_runs (
  seq bigint generated always as identity primary key,
  schedule text not null references flow_schedules (id) on delete cascade,
  -- When it was due, or was asked for.
  at timestamptz not null,
  cause text not null check (cause in ('time', 'trigger', 'person')),
  -- The id of the signed request.
  call text,
  outcome text not null check (outcome in ('baked', 'skipped', 'refused')),
  bake text,
  why text
);
-- No run is made twice, and no request is taken twice.
create unique index flow_schedule_runs_once on flow_schedule_runs (schedule, at) where cause = 'time';
create unique index flow_schedule_runs_call on flow_schedule_runs (schedule, call) where call is not null;
create index flow_schedule_runs_listing on flow_schedule_runs (schedule, seq);

alter table flow_bakes
  -- What made it; no reference: the schedule may go before.
  add column schedule text,
  -- Of what people are told: end, failure, recovery.
  add column notify text[] not null default '{}';
create index flow_bakes_schedule on flow_bakes (schedule) where schedule is not null and status in ('pending', 'running');
