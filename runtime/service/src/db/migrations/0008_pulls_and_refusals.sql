alter table jobs
  -- Since when the run's image cannot be pulled; null where it can, or was not tried yet.
  add column pull_failing_since timestamptz,
  -- Pods in a row that their node refused, or put out, before a container of theirs had started.
  add column refusals int not null default 0,
  -- In the queue: not admitted before.
  add column retry_at timestamptz;
