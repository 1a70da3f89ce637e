-- Schedules whose bakes are made when files of the storage change.
alter table flow_schedules
  -- Which files, as it was sent; null: none are looked at.
  add column storage jsonb;

create table flow_watches (
  schedule text primary key references flow_schedules (id) on delete cascade,
  -- The number of this look: whoever looked before decides nothing more.
  turn bigint not null default 0,
  next_at timestamptz not null default now(),
  looked_at timestamptz,
  -- {PATH: [BYTES, TIME]}, of which the last bake was made; null: they were never looked at.
  seen jsonb,
  -- Hash of the files of the last look, and since when they are as they are.
  last text,
  since timestamptz not null default now(),
  -- Why they cannot be looked at.
  problem text
);
create index flow_watches_due on flow_watches (next_at);

alter table flow_schedule_runs drop constraint flow_schedule_runs_cause_check;
alter table flow_schedule_runs add constraint flow_schedule_runs_cause_check
  check (cause in ('time', 'trigger', 'person', 'storage'));
