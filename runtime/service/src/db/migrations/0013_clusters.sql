-- Further clusters, whose agents dial in from elsewhere. The platform's own one has none of this.
alter table clusters
  -- Null: it is the platform's own, or has left.
  add column joined_at timestamptz,
  -- It takes no new jobs; those that it has are ended.
  add column leaving_at timestamptz;

-- Tokens by which one cluster may join, once. Of each only the digest is known here.
create table join_tokens (
  -- SHA-256 of the secret, in hexadecimals.
  digest text primary key,
  cluster text not null,
  made_by text not null,
  made_at timestamptz not null default now(),
  expires_at timestamptz not null,
  -- Digest of the agent's own secret that it was traded for: the same trade may be made again. Null: it waits.
  spent_for text
);
create index join_tokens_cluster on join_tokens (cluster);

-- What agents and collectors of such clusters show, by digest as above. While one is rotated, several are good.
create table cluster_credentials (
  digest text primary key,
  cluster text not null references clusters (name) on delete cascade,
  dialler text not null check (dialler in ('agent', 'collector')),
  made_at timestamptz not null default now()
);
create index cluster_credentials_cluster on cluster_credentials (cluster);
