-- Attempts that the platform's own engine carries out.
alter table flow_attempts
  -- How often it was taken over: whoever had it before is fenced off.
  add column engine_turn integer not null default 0,
  -- When nothing was left to do of it; later than its end, where that came from a client.
  add column settled_at timestamptz;
create index flow_attempts_to_carry_out on flow_attempts (created_at) where engine and settled_at is null;

-- The bake that the platform carries out for this job, which has no Pod; null: every other job.
alter table jobs add column carries text;
create index jobs_that_carry on jobs (id) where carries is not null;
