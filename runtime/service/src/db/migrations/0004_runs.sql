-- A job may have several Pods, one after the other: a preemptible one that had to give way waits again and runs anew.
-- A *run* is one Pod; an *attempt* is one start of a container, numbered over all runs (`restarts` is the last one).
-- On its way out such a job passes the phases stopping, ended and archived as any other does, with the status suspended
-- (pending, where no container had started) instead of a terminal one; then it is queued, not gone.
alter table jobs
  -- From its preset when it was made: it may be told to give way.
  add column preemptible boolean not null default false,
  -- Number of the run, from 0. In the queue: of the next.
  add column run int not null default 0,
  -- Number of the run's first attempt.
  add column first_attempt int not null default 0,
  -- Of earlier runs: what is still heard of them is old news.
  add column past_pods text[] not null default '{}',
  -- What earlier runs lasted. started_at and finished_at are the present run's.
  add column ran_seconds double precision not null default 0,
  add column first_started_at timestamptz;
update jobs set first_started_at = started_at;

-- The attempt's number among those of its own Pod, which is how the kubelet names its log.
alter table log_streams add column pod_attempt int;
update log_streams set pod_attempt = attempt;
alter table log_streams alter column pod_attempt set not null;
create unique index log_streams_pod on log_streams (job, pod_uid, pod_attempt);
