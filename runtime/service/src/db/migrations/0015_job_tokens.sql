-- Tokens by which jobs work with the platform as their owner (`--pass-config`): good while the job lives.
create table job_tokens (
  job text primary key references jobs (id) on delete cascade,
  user_id bigint not null references users (id),
  -- SHA-256 of the token, in hexadecimals: by this it is known again.
  digest text not null unique,
  -- The token, encrypted as a secret is, until the job's cluster has it.
  sealed bytea not null,
  wrapped_key bytea not null,
  key_id text not null
);
create index job_tokens_key_id on job_tokens (key_id);
