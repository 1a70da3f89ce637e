-- Credits by double entry: runtime/ledger says what is written, and why. Amounts are whole grains, times are seconds since 1970.
-- Nothing is charged where a preset has no price, or an organization was never given credits.

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is only added to', tg_table_name using errcode = 'restrict_violation';
end $$;

-- What a preset costs from a second on, until the next such second. What is in the future may still be taken back.
create table credit_prices (
  cluster text not null,
  preset text not null,
  from_at bigint not null,
  -- Billionths of a credit an hour.
  price numeric(21, 0) not null check (price >= 0),
  primary key (cluster, preset, from_at)
);
create function refuse_change_of_past() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.from_at > extract(epoch from clock_timestamp()) then return old; end if;
  raise exception 'a price that holds already is not changed' using errcode = 'restrict_violation';
end $$;
create trigger credit_prices_kept before update or delete on credit_prices
  for each row execute function refuse_change_of_past();

create table credit_transactions (
  key text primary key,
  seq bigint generated always as identity unique,
  kind text not null check (kind in ('grant', 'move', 'hold', 'release', 'charge', 'return', 'refund')),
  at bigint not null,
  org text not null,
  -- Null: of the organization as a whole.
  project text,
  -- Of what belongs to a run: which, for which of its seconds, and whose credits they are.
  job text,
  run int,
  from_second bigint,
  to_second bigint,
  payer text,
  by_whom text,
  why text,
  check (kind not in ('grant', 'move') or (btrim(by_whom) <> '' and btrim(why) <> '')),
  check (kind not in ('charge', 'return', 'refund') or from_second < to_second)
);
create index credit_transactions_of on credit_transactions (org, seq);

create table credit_entries (
  transaction text not null references credit_transactions (key),
  account text not null,
  grains numeric(45, 0) not null check (grains <> 0),
  primary key (transaction, account)
);
create index credit_entries_of on credit_entries (account);

create trigger credit_transactions_kept before update or delete on credit_transactions
  for each row execute function refuse_change();
create trigger credit_transactions_whole before truncate on credit_transactions execute function refuse_change();
create trigger credit_entries_kept before update or delete on credit_entries
  for each row execute function refuse_change();
create trigger credit_entries_whole before truncate on credit_entries execute function refuse_change();

-- Follows from the entries, and is checked against them.
create table credit_balances (
  account text primary key,
  grains numeric(45, 0) not null,
  check (grains >= 0 or account not like 'hold:%')
);
-- What was charged less what was given back, by days.
create table credit_spent (
  org text not null,
  project text not null,
  day bigint not null,
  grains numeric(45, 0) not null,
  primary key (org, project, day)
);

create function add_credit_entry() returns trigger language plpgsql as $$
begin
  insert into credit_balances (account, grains) values (new.account, 0) on conflict do nothing;
  update credit_balances set grains = grains + new.grains where account = new.account;
  if new.account = 'platform:revenue' then
    insert into credit_spent (org, project, day, grains)
      select org, coalesce(project, ''), at / 86400, new.grains from credit_transactions where key = new.transaction
      on conflict (org, project, day) do update set grains = credit_spent.grains + excluded.grains;
  end if;
  return null;
end $$;
create trigger credit_entries_add after insert on credit_entries
  for each row execute function add_credit_entry();

-- At the end of each database transaction.
create function check_credit_transaction() returns trigger language plpgsql as $$
declare total record;
begin
  select count(*) as entries, coalesce(sum(grains), 0) as grains into total
    from credit_entries where transaction = new.key;
  if total.entries < 2 or total.grains <> 0 then
    raise exception 'the % entries of % add up to % grains, not to zero', total.entries, new.key, total.grains
      using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger credit_transactions_balanced after insert on credit_transactions
  deferrable initially deferred for each row execute function check_credit_transaction();
create function check_credit_entry() returns trigger language plpgsql as $$
begin
  if (select coalesce(sum(grains), 0) from credit_entries where transaction = new.transaction) <> 0 then
    raise exception 'the entries of % do not add up to zero', new.transaction using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger credit_entries_balanced after insert on credit_entries
  deferrable initially deferred for each row execute function check_credit_entry();

-- Runs of jobs that are charged: what of them has been seen, and how far the books have come.
create table credit_runs (
  job text not null,
  run int not null,
  cluster text not null,
  org text not null,
  project text not null,
  preset text not null,
  payer text not null,
  -- Of a preset that no price is known of: the job's own.
  price numeric(21, 0) not null,
  started bigint,
  ended bigint,
  taken_away boolean not null default false,
  over boolean not null default false,
  held numeric(45, 0) not null default 0,
  charged_to bigint,
  charged numeric(45, 0) not null default 0,
  closed boolean not null default false,
  primary key (job, run)
);
create index credit_runs_open on credit_runs (cluster, org, project) where not closed;

-- Who has nothing left, and since when.
create table credit_standing (
  org text not null,
  -- Empty: the organization as a whole.
  project text not null,
  empty_since bigint not null,
  primary key (org, project)
);

-- One row: how runs are charged, as delos.yaml says.
create table credit_terms (
  one boolean primary key default true check (one),
  hold_seconds int not null,
  refund_seconds int not null,
  grace_seconds int not null,
  -- A run that goes on is charged this often.
  charge_seconds int not null default 300 check (charge_seconds > 0)
);

alter table organizations add column budget jsonb;
alter table projects add column budget jsonb;
-- Why a job in the queue is held back whatever room there is; null: it is not.
alter table jobs add column held_for text;
