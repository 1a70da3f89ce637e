-- Buckets of other providers, which are kept there: `provider` is null for one of the platform's own object storage. The credentials that
-- reach it are encrypted as values of secrets are (runtime/service/src/db/secrets/sealing.ts).
alter table buckets
  add column provider text,
  add column provider_bucket text,
  add column sealed bytea,
  add column wrapped_key bytea,
  add column key_id text,
  add constraint buckets_import check (
    num_nulls(provider, provider_bucket, sealed, wrapped_key, key_id) in (0, 5) and (provider is null or not public)
  );
create index buckets_key_id on buckets (key_id) where key_id is not null;
