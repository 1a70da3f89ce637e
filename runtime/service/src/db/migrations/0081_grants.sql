-- What a user may do with single things, beside what roles give: a thing and all below it, by the client's URI.
create table grants (
  user_id bigint not null references users (id),
  -- job://CLUSTER/ORG/PROJECT/JOB, or less of it; no slash at its end.
  uri text not null,
  action text not null check (action in ('read', 'write', 'manage')),
  given_by text not null,
  given_at timestamptz not null default now(),
  primary key (user_id, uri)
);
create index grants_given_by on grants (given_by);

-- Accounts of programs. Each is a user that nobody logs in as.
alter table users add column service boolean not null default false;
create table service_accounts (
  id text primary key,
  -- As whom it acts.
  user_id bigint not null unique references users (id),
  owner_id bigint not null references users (id),
  name text,
  default_cluster text not null,
  default_org text,
  default_project text not null,
  -- SHA-256 of its token, in hexadecimals.
  digest text not null unique,
  made_at timestamptz not null default now(),
  expires_at timestamptz not null
);
create unique index service_accounts_name on service_accounts (owner_id, name) where name is not null;
