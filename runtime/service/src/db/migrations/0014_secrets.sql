-- Secrets of projects. No value stands here in the clear: each is encrypted with a key of its own, and that key with the
-- platform's, which the database does not hold (runtime/service/src/db/secrets/sealing.ts).
create table secrets (
  cluster text not null references clusters (name),
  org text not null,
  project text not null,
  name text not null,
  -- Who gave it its value last.
  owner text not null,
  -- The value, encrypted.
  sealed bytea not null,
  -- Its own key, encrypted with the platform's key of this id.
  wrapped_key bytea not null,
  key_id text not null,
  -- Of the value.
  bytes integer not null,
  -- Whether a variable of an environment can hold it.
  is_text boolean not null,
  changed_at timestamptz not null default now(),
  primary key (cluster, org, project, name),
  foreign key (org, project) references projects (org, name)
);
create index secrets_key_id on secrets (key_id);
