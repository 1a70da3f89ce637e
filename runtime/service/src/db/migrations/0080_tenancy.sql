-- What delos.yaml says is declared. The rest administrators made while the platform ran: no deployment touches it.
alter table organizations
  add column declared boolean not null default true,
  -- What somebody becomes who is added without a role.
  add column default_role text not null default 'user' check (default_role in ('admin', 'manager', 'user'));
alter table projects
  add column declared boolean not null default true,
  add column default_role text not null default 'writer' check (default_role in ('admin', 'manager', 'writer', 'reader')),
  add column is_default boolean not null default false;
alter table members add column declared boolean not null default true;
-- Presets beside those of delos.yaml. `presets` has both.
alter table clusters add column made_presets jsonb not null default '[]';

-- Who is what in an organization. An administrator has all rights in each of its projects; a manager has its people and projects.
create table org_members (
  org text not null references organizations (name) on delete cascade,
  user_name text not null,
  role text not null check (role in ('admin', 'manager', 'user')),
  declared boolean not null default false,
  primary key (org, user_name)
);
create index org_members_user on org_members (user_name);
