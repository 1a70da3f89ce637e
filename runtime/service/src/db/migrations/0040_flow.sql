-- Flows: what apolo-flow keeps on the server. A flow belongs to a project; everything else belongs to a flow and goes with it.
-- All changes of attempts and tasks go through runtime/service/src/db/flow.
create table flow_projects (
  id text primary key,
  cluster text not null,
  org text not null,
  project text not null,
  -- The flow's id in its project.yml; apolo-flow calls a flow a project.
  name text not null,
  owner text not null,
  -- Of its entries in the cache.
  cache_entries integer not null default 0,
  cache_bytes bigint not null default 0,
  created_at timestamptz not null default now(),
  foreign key (org, project) references projects (org, name) on delete cascade
);
create unique index flow_projects_name on flow_projects (org, project, cluster, name);

-- Jobs of live.yml, told for whoever shows them. What runs of them is found among jobs, by tags.
create table flow_live_jobs (
  id text primary key,
  flow text not null references flow_projects (id) on delete cascade,
  yaml_id text not null,
  multi boolean not null,
  tags text[] not null default '{}',
  raw_id text
);
create unique index flow_live_jobs_name on flow_live_jobs (flow, yaml_id);

create table flow_bakes (
  id text primary key,
  flow text not null references flow_projects (id) on delete cascade,
  batch text not null,
  name text,
  owner text not null,
  tags text[] not null default '{}',
  params jsonb not null,
  -- {prefix: {full id: [full id of what it needs]}}; the prefix of the batch itself is the empty text.
  graphs jsonb not null,
  -- {git_info: {sha, branch, tags} | null}
  meta jsonb not null,
  -- Of its attempt with the highest number; pending where it has none.
  status text not null default 'pending' check (status in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
  -- Of params, graphs, configuration files, and what its tasks say.
  bytes bigint not null default 0,
  created_at timestamptz not null default now()
);
create index flow_bakes_listing on flow_bakes (flow, created_at, id);
create index flow_bakes_open on flow_bakes (flow) where status in ('pending', 'running');
create index flow_bakes_names on flow_bakes (flow, name, created_at) where name is not null;
-- A name is one bake's while that has not ended.
create unique index flow_bakes_active_name on flow_bakes (flow, name)
  where name is not null and status in ('pending', 'running');

create table flow_attempts (
  id text primary key,
  bake text not null references flow_bakes (id) on delete cascade,
  number integer not null check (number > 0),
  result text not null default 'pending' check (result in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
  -- The job that carries it out; null: a client on its own machine, or nobody yet.
  executor_id text,
  -- The platform's own engine carries it out: clients may cancel it, and write nothing else of it.
  engine boolean not null default false,
  -- {workspace, flow_config_id, project_config_id, action_config_ids}: ids of the bake's own configuration files.
  configs_meta jsonb not null,
  -- How many it has.
  tasks integer not null default 0,
  created_at timestamptz not null default now()
);
create unique index flow_attempts_number on flow_attempts (bake, number);
create index flow_attempts_executor on flow_attempts (executor_id)
  where executor_id is not null and result in ('pending', 'running');

create table flow_tasks (
  id text primary key,
  -- The order in which they were made.
  seq bigint generated always as identity,
  attempt text not null references flow_attempts (id) on delete cascade,
  -- Full id: a.b.c
  yaml_id text not null,
  -- Its job; null: it has none.
  raw_id text,
  -- {name: text}; null until it has ended.
  outputs jsonb,
  state jsonb,
  -- [{created_at, status}], the oldest first; times as they were told.
  statuses jsonb not null check (jsonb_typeof(statuses) = 'array' and jsonb_array_length(statuses) > 0),
  status text not null generated always as (statuses -> -1 ->> 'status') stored
);
create unique index flow_tasks_name on flow_tasks (attempt, yaml_id);
create index flow_tasks_listing on flow_tasks (attempt, seq);

create table flow_cache_entries (
  id text primary key,
  flow text not null references flow_projects (id) on delete cascade,
  batch text not null,
  task_id text not null,
  key text not null,
  outputs jsonb not null,
  state jsonb not null,
  raw_id text not null default '',
  bytes bigint not null,
  created_at timestamptz not null default now()
);
create unique index flow_cache_entries_key on flow_cache_entries (flow, batch, task_id, key);
create index flow_cache_entries_age on flow_cache_entries (flow, created_at, id);

create table flow_config_files (
  id text primary key,
  bake text not null references flow_bakes (id) on delete cascade,
  filename text not null,
  content text not null
);
create index flow_config_files_bake on flow_config_files (bake, id);

create table flow_bake_images (
  id text primary key,
  seq bigint generated always as identity,
  bake text not null references flow_bakes (id) on delete cascade,
  ref text not null,
  -- PREFIX.IMAGE, where it is defined.
  yaml_defs text[] not null,
  status text not null check (status in ('pending', 'building', 'built', 'build_failed', 'cached')),
  context_on_storage text,
  dockerfile_rel text,
  builder_job_id text
);
create unique index flow_bake_images_ref on flow_bake_images (bake, ref);
create index flow_bake_images_listing on flow_bake_images (bake, seq);
