-- A job's log has a limit. Up to it all is kept; what is over it is taken out of the middle.
alter table jobs
  -- Bytes; null: the configuration's default.
  add column log_limit bigint,
  -- Its log was removed some time after it had ended.
  add column logs_removed boolean not null default false;

-- What a job's log takes. A chunk counts as its bytes before compression and what a row costs.
create table log_usage (
  job text primary key references jobs (id) on delete cascade,
  -- Of the beginning, which stays.
  head bigint not null default 0,
  -- Of what follows, whose oldest goes.
  tail bigint not null default 0,
  head_full boolean not null default false,
  -- Something was taken out: from now on it is taken no faster than it can be dropped.
  cut boolean not null default false,
  -- A limit smaller than the job's own, where its project is over its limit.
  cap bigint
);
insert into log_usage (job, head)
  select job, coalesce(sum(c.length + 256), 0) from log_streams left join log_chunks c using (job, attempt) group by job;

alter table log_chunks
  add column tail boolean not null default false,
  -- Bytes before it were lost on their node, nobody knows how many.
  add column lost boolean not null default false;
-- They are compressed already. What is dropped is soon to be room for others.
alter table log_chunks alter column data set storage external;
alter table log_chunks set (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
  toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 2000
);
