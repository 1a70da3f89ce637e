-- The chain of audit records: runtime/audit says what a record is, and how it is hashed.

-- One row: the last record's number and hash, and the hash of the one before. Who appends has it until the end of the transaction, so
-- that records are chained in the order in which their acts are committed, without a gap.
create table audit_head (
  one boolean primary key default true check (one),
  seq bigint not null,
  previous text not null,
  hash text not null
);
insert into audit_head (seq, previous, hash) values (0, repeat('0', 64), repeat('0', 64));

create table audit_records (
  seq bigint primary key,
  previous text not null,
  -- The canonical text of the record.
  record text not null,
  hash text not null,
  at bigint not null,
  act text not null,
  outcome text not null,
  request text not null
);
create index audit_records_at on audit_records (at);

-- What commitments of records were made of. Erased here, it is gone, and the chain stays as it is.
create table audit_openings (
  seq bigint not null references audit_records (seq),
  field text not null,
  salt text not null,
  value text not null,
  primary key (seq, field)
);
create index audit_openings_of on audit_openings (field, md5(value));

create table audit_checkpoints (
  seq bigint primary key,
  checkpoint text not null,
  signature text not null
);
-- Public halves of the keys that have signed them, PEM.
create table audit_keys (
  name text primary key,
  public_key text not null,
  since timestamptz not null default now()
);

create trigger audit_records_kept before update or delete on audit_records
  for each row execute function refuse_change();
create trigger audit_records_whole before truncate on audit_records execute function refuse_change();
create trigger audit_checkpoints_kept before update or delete on audit_checkpoints
  for each row execute function refuse_change();
create trigger audit_openings_kept before update on audit_openings
  for each row execute function refuse_change();
create trigger audit_head_whole before delete or truncate on audit_head execute function refuse_change();

-- Appends a record, given its canonical text and its digest. The hash is as runtime/audit/src/chain.ts has it.
create function append_audit(record text, digest text, at bigint, act text, outcome text, request text,
  fields text[], salts text[], texts text[])
returns bigint language plpgsql as $$
declare head audit_head;
begin
  update audit_head h set
      previous = h.hash,
      seq = h.seq + 1,
      hash = encode(sha256(convert_to(E'delos audit record 1\n', 'UTF8') || decode(h.hash, 'hex')
        || int8send(h.seq + 1) || decode(digest, 'hex')), 'hex')
    returning h.* into head;
  insert into audit_records values (head.seq, head.previous, record, head.hash, at, act, outcome, request);
  insert into audit_openings select head.seq, o.field, o.salt, o.value
    from unnest(fields, salts, texts) as o (field, salt, value);
  return head.seq;
end $$;
