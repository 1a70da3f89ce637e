-- People whom another identity provider vouches for. Null: the platform itself, by delos.yaml.
alter table users add column provider text;
-- When the provider was last asked for this person's groups.
alter table users add column looked_at timestamptz;
create index users_provider on users (provider) where provider is not null and removed_at is null;

-- Memberships that follow from a group at a provider. Null: delos.yaml says so itself, which goes first.
alter table members add column provider text;

-- How each provider does, as the keeper of the realm saw it last.
create table identity_providers (
  name text primary key,
  kind text not null,
  -- Null: it answers, and the realm is as delos.yaml says. Otherwise what is wrong, in words.
  problem text,
  -- Its users cannot log in, and its groups are not read.
  away boolean not null default false,
  looked_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
);

-- Digest of what the realm shall be, as it was deployed last: a keeper of another release or configuration keeps away.
create table realm_wanted (
  single boolean primary key default true check (single),
  digest text not null
);
