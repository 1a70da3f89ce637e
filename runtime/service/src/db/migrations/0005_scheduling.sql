-- What the configuration says of scheduling.
alter table clusters add column scheduling jsonb not null default '{"minRunSeconds": 0}';
