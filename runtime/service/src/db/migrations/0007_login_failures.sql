-- Attempts to log in that have not succeeded, by where they came from and whom they named. `account` is a hash of the
-- name, and empty in the one row of a source that counts them all.
create table login_failures (
  source text not null,
  account text not null,
  failures int not null,
  last_at timestamptz not null,
  blocked_until timestamptz,
  primary key (source, account)
);
create index login_failures_age on login_failures (last_at);
