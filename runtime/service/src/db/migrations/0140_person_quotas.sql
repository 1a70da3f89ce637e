-- What one person's jobs in all projects of an organization may take together, on each cluster. Here is who has such a quota; the rest have none.
create table person_quotas (
  org text not null references organizations (name) on delete cascade,
  user_name text not null,
  quota jsonb not null,
  -- delos.yaml says it; otherwise administrators did.
  declared boolean not null default false,
  primary key (org, user_name)
);
create index person_quotas_user on person_quotas (user_name);
