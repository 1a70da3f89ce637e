-- Buckets of projects. Its id is its name in the object storage.
--   making    the storage may have it; nobody knows of it yet
--   kept      the storage has it
--   removing  the storage is asked to remove it, which it does where it is empty
create table buckets (
  id text primary key,
  org text not null,
  project text not null,
  owner text not null,
  name text,
  phase text not null default 'making' check (phase in ('making', 'kept', 'removing')),
  -- Everybody may read its objects.
  public boolean not null default false,
  -- Its policy in the storage may be another one than follows from these rows.
  policy_due boolean not null default false,
  created_at timestamptz not null default now(),
  phase_at timestamptz not null default now(),
  foreign key (org, project) references projects (org, name)
);
create unique index buckets_name on buckets (org, project, name) where name is not null;
create index buckets_listing on buckets (org, project, id);
create index buckets_unsettled on buckets (phase_at) where phase <> 'kept' or policy_due;

-- Credentials for buckets that do not end. The secret follows from the access key by a key that is not in the database.
create table bucket_credentials (
  id text primary key,
  user_id bigint not null,
  owner text not null,
  name text,
  read_only boolean not null,
  access_key text not null unique,
  created_at timestamptz not null default now()
);
create unique index bucket_credentials_name on bucket_credentials (user_id, name) where name is not null;
create index bucket_credentials_listing on bucket_credentials (user_id, id);

create table bucket_credential_buckets (
  credential text not null references bucket_credentials (id) on delete cascade,
  bucket text not null references buckets (id) on delete cascade,
  primary key (credential, bucket)
);
create index bucket_credential_buckets_bucket on bucket_credential_buckets (bucket);
