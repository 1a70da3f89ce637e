import type { DelosConfig } from '@delos/constructs';
import type { MadeThings } from '@delos/core';

type Item = Record<string, unknown>;

export interface Exported {
  /** delos.yaml, with what was made beside it. */
  readonly config: Item;
  /** What delos.yaml cannot say, and why. */
  readonly leftOut: readonly string[];
}

/**
 * A configuration file with all that administrators made while the platform ran.
 * @param text what the file says, as it is; an empty object where there is none
 * @param whole the same, with defaults
 */
export function withMade(text: Item, whole: DelosConfig, made: MadeThings): Exported {
  const leftOut: string[] = [];
  const people = new Set([whole.admin.user, ...whole.users.map(({ name }) => name)]);
  const known = (user: string, where: string): boolean => {
    if (people.has(user)) return true;
    leftOut.push(`${user} in ${where}: a person of an identity provider, whose groups say it`);
    return false;
  };
  const copy = structuredClone(text);
  const given =
    copy.organizations ??
    (made.organizations.length + made.projects.length + made.quotas.length === 0 ? [] : defaults(whole));
  const organizations = list(given);
  const isNew = new Set(made.organizations.map(({ name }) => name));
  organizations.push(
    ...made.organizations.map(({ name, quota }) => ({ name, ...unlessEmpty({ quota }), projects: [] })),
  );
  const orgOf = (name: string): Item | undefined => organizations.find((org) => org.name === name);
  for (const { org, name, quota } of made.projects) add(orgOf(org), 'projects', { name, ...unlessEmpty({ quota }) });
  for (const { org, user, role } of made.orgMembers) if (known(user, org)) add(orgOf(org), 'members', { user, role });
  for (const { org, user, quota } of made.quotas) {
    if (!known(user, org)) continue;
    const found = list(orgOf(org)?.members).find((member) => member.user === user);
    if (found === undefined) add(orgOf(org), 'members', { user, quota });
    else found.quota = quota;
  }
  for (const { org, project, user, role } of made.members) {
    if (!known(user, `${org}/${project}`)) continue;
    const found = list(orgOf(org)?.projects).find(({ name }) => name === project);
    add(found, 'members', { user, role });
  }
  const full = organizations.filter(({ name, projects }) => {
    const empty = isNew.has(String(name)) && list(projects).length === 0;
    if (empty) leftOut.push(`organization ${String(name)}: it has no project yet`);
    return !empty;
  });
  if (full.length > 0) copy.organizations = full;
  if (made.presets.length > 0) copy.presets = [...list(copy.presets ?? whole.presets), ...made.presets];
  return { config: copy, leftOut };
}

/** Those that a file has that says nothing of them. */
const defaults = (whole: DelosConfig): readonly Item[] =>
  whole.organizations.map(({ name, projects }) => ({
    name,
    projects: projects.map((project) => ({ name: project.name })),
  }));

const list = (value: unknown): Item[] => (Array.isArray(value) ? (value as Item[]) : []);

function add(to: Item | undefined, key: string, item: Item): void {
  if (to === undefined) return;
  to[key] = [...list(to[key]), item];
}

const unlessEmpty = (item: Readonly<Record<string, object>>): Item =>
  Object.fromEntries(Object.entries(item).filter(([, value]) => Object.keys(value).length > 0));
