-- How organizations, projects and their members stand beside others: weight, guarantee, limit.
alter table organizations add column share jsonb not null default '{"weight": 1, "guarantee": {}, "limit": {}}';
alter table projects add column share jsonb not null default '{"weight": 1, "guarantee": {}, "limit": {}}';
alter table members add column share jsonb not null default '{"weight": 1, "guarantee": {}, "limit": {}}';
