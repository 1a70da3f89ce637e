-- People. A name means its one live user. The subject is the identity provider's own key of that person's account.
-- A removed user keeps the row, by which their tokens are refused. Who is given the name later is another row.
create table users (
  id bigint generated always as identity primary key,
  name text not null,
  -- Claim `sub` of this person's tokens. Null: not known yet.
  subject text unique,
  made_at timestamptz not null default now(),
  removed_at timestamptz
);
create unique index users_live_name on users (name) where removed_at is null;

-- Until now a name was all that was known. Members are users; other owners of jobs were removed before.
insert into users (name) select distinct user_name from members;
insert into users (name, removed_at)
  select distinct owner, now() from jobs where owner not in (select user_name from members);
-- A removed user's jobs are nobody else's: no name has a tilde.
update jobs set owner = users.name || '~' || users.id from users
  where users.removed_at is not null and users.name = jobs.owner;

-- The client's trace of the request that made the job: one call of the client has one trace for all that it sends.
alter table jobs add column made_by_trace text;
