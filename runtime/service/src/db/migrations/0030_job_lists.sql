-- What clients ask of a long table. Each list is read in the order in which it is sent.
-- Jobs that are alive, which is what `apolo ps` shows: a few among all that have ended.
create index jobs_alive on jobs (cluster, org, project, created_at, id)
  where status in ('pending', 'suspended', 'running');
-- All jobs, or those of one project, the oldest or the newest first.
create index jobs_by_time on jobs (cluster, created_at, id);
create index jobs_by_project on jobs (cluster, org, project, created_at, id);
drop index jobs_listing;
create index jobs_by_owner on jobs (cluster, owner, created_at, id);
-- `--tag`, which may be one of few jobs or of all.
create index jobs_by_tag on jobs using gin (tags);
-- How many wait, of a user and of a project, which each new job asks.
create index jobs_queue_of_user on jobs (cluster, owner) where phase = 'queued';
create index jobs_queue_of_project on jobs (cluster, org, project) where phase = 'queued';
