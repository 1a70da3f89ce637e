-- Logs move from PostgreSQL to object storage, piece by piece. What is not moved yet stays in log_chunks.
alter table log_streams
  -- Of log_chunks: bytes that are to be moved, and since when the oldest of them waits.
  add column waiting_bytes bigint not null default 0,
  add column waiting_since timestamptz,
  -- Bytes known to be missing at its end.
  add column missing bigint not null default 0;
update log_streams s set waiting_bytes = c.bytes, waiting_since = c.since
  from (select job, attempt, sum(length) as bytes, min(at) as since from log_chunks group by job, attempt) c
  where c.job = s.job and c.attempt = s.attempt;
create index log_streams_waiting on log_streams (waiting_since) where waiting_since is not null;

-- How many bytes before it were lost on their node, where that is known.
alter table log_chunks add column missing bigint;

-- A piece of a log that is one object.
create table log_objects (
  job text not null,
  attempt int not null,
  start bigint not null,
  length int not null,
  tail boolean not null,
  lost boolean not null,
  missing bigint,
  -- When the last of its bytes came.
  at timestamptz not null,
  -- SHA-256 of its bytes before compression, in hexadecimals.
  digest text not null,
  --   writing   its chunks are still in log_chunks, and the object may be there
  --   there     it is read from the object
  --   removing  nobody reads it; the object goes, then the row
  state text not null check (state in ('writing', 'there', 'removing')),
  changed_at timestamptz not null default now(),
  primary key (job, attempt, start, length)
);
create index log_objects_open on log_objects (changed_at) where state <> 'there';

-- A row of log_objects outlives its log: it is what knows the object.
create function remove_log_objects() returns trigger language plpgsql as $$
begin
  update log_objects set state = 'removing', changed_at = now()
    where job = old.job and attempt = old.attempt and state <> 'removing';
  return old;
end $$;
create trigger log_objects_of_stream before delete on log_streams
  for each row execute function remove_log_objects();

-- When delos.yaml ceased to have it: its logs go some time after that.
alter table projects add column retired_at timestamptz;
update projects set retired_at = now() where retired;
