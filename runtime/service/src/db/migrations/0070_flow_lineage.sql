-- Where results come from: {key, bake, attempt, needs: [{task, job}], writes: [address]}. Null: a client carried it out, or
-- nothing of it is kept.
alter table flow_cache_entries add column lineage jsonb;
alter table flow_tasks add column lineage jsonb;
