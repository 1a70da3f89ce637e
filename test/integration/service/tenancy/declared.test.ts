import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { madeThings, type PlatformConfig, platformConfig } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { applyConfig } from '../../../../runtime/service/src/db/apply-config.ts';
import { madeIn } from '../../../../runtime/service/src/db/tenancy/made.ts';
import { type ApiOnPostgres, startApiOnPostgres, TEST_CONFIG } from '../../../support/service/control-api.ts';

/* What delos.yaml declares and what administrators make while the platform runs, by the API and a real PostgreSQL. */

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
beforeAll(async () => {
  served = await startApiOnPostgres();
});
afterAll(() => served?.stop());

const ADMIN = '/apis/admin/v1';
const LAB = `${ADMIN}/clusters/default/orgs/lab`;
const ask = async (user: string, method: string, path: string, body?: unknown) => {
  const { status, json, text } = await served.api.request(user, method, path, body);
  return { status, json, text };
};
const ok = async (user: string, method: string, path: string, body?: unknown) => {
  const answer = await ask(user, method, path, body);
  expect(answer.status, `${method} ${path}: ${answer.text}`).toBeLessThan(300);
  return answer.json;
};
/** As `delos up` does it. */
const up = (config: PlatformConfig = TEST_CONFIG): Promise<void> =>
  served.database.tx((tx) => applyConfig(tx, config, 'default'));
const projectsOf = async (user: string): Promise<readonly string[]> => {
  const { projects } = await ok(user, 'GET', '/config');
  return projects.map((each: Record<string, string>) => `${each.org_name}/${each.name} ${each.role}`);
};

describe('what administrators made while the platform ran', () => {
  test('is there at once, for whoever has a role in it, and for nobody else', async () => {
    await ok('admin', 'POST', `${ADMIN}/orgs?skip_auto_add_to_clusters=false`, { name: 'lab' });
    await ok('admin', 'POST', `${ADMIN}/orgs/lab/users?with_user_info=true`, { user_name: 'noel', role: 'manager' });
    await ok('noel', 'POST', `${LAB}/projects`, { name: 'play', is_default: false, default_role: 'reader' });
    await ok('noel', 'POST', `${LAB}/projects/play/users`, { user_name: 'alice' });
    expect(await projectsOf('alice')).toContain('lab/play reader');
    // A manager has people and projects, and nothing of what is in them.
    expect(await projectsOf('noel')).toEqual([]);
    const job = { preset_name: 'cpu-small', org_name: 'lab', project_name: 'play', image: 'ubuntu:24.04' };
    expect((await ask('alice', 'POST', '/jobs?from_preset', job)).status).toBe(403);
    await ok('noel', 'PUT', `${LAB}/projects/play/users/alice`, { role: 'writer' });
    await ok('alice', 'POST', '/jobs?from_preset', job);
    expect((await ask('bob', 'GET', `${LAB}/projects`)).status).toBe(404);
  });

  test('a default project is joined by whoever is added to the organization', async () => {
    await ok('noel', 'POST', `${LAB}/projects`, { name: 'hall', is_default: true, default_role: 'reader' });
    await ok('noel', 'POST', `${ADMIN}/orgs/lab/users`, { user_name: 'rita' });
    expect(await projectsOf('rita')).toContain('lab/hall reader');
    await ok('noel', 'DELETE', `${ADMIN}/orgs/lab/users/rita`);
    await ok('noel', 'DELETE', `${LAB}/projects/hall`);
    expect(await projectsOf('rita')).toEqual(['acme/one reader']);
  });

  test('outlives every `up`, also a membership in a declared project', async () => {
    await ok('admin', 'POST', `${ADMIN}/clusters/default/orgs/acme/projects/one/users`, { user_name: 'bob' });
    await ok('admin', 'PATCH', `${LAB}/quota`, { quota: { total_running_jobs: 5 } });
    await ok('noel', 'PATCH', `${LAB}/users/alice/quota`, { quota: { total_running_jobs: 2 } });
    await up();
    expect(await projectsOf('alice')).toContain('lab/play writer');
    expect(await ok('alice', 'GET', `${LAB}/users/alice`)).toMatchObject({ quota: { total_running_jobs: 2 } });
    expect((await ask('noel', 'PATCH', `${LAB}/users/noel/quota`, { quota: {} })).status).toBe(403);
    expect(await projectsOf('bob')).toEqual(['acme/one writer', 'other/hidden writer']);
    expect(await ok('admin', 'GET', LAB)).toMatchObject({ quota: { total_running_jobs: 5 } });
  });

  test('is all that is not in delos.yaml', async () => {
    expect(await madeIn(served.database.db, 'default')).toEqual({
      organizations: [{ name: 'lab', quota: { runningJobs: 5 } }],
      projects: [{ org: 'lab', name: 'play', quota: {} }],
      orgMembers: [{ org: 'lab', user: 'noel', role: 'manager' }],
      members: [
        { org: 'acme', project: 'one', user: 'bob', role: 'writer' },
        { org: 'lab', project: 'play', user: 'alice', role: 'writer' },
      ],
      quotas: [{ org: 'lab', user: 'alice', quota: { runningJobs: 2 } }],
      presets: [],
    });
  });

  test('is what `delos export-config` asks the control API’s Pod for', async () => {
    const main = join(import.meta.dirname, '../../../../runtime/service/src/main.ts');
    const { stdout } = spawnSync(process.execPath, [main, 'made'], {
      env: { ...process.env, ...served.postgresEnv },
      input: '{"action":"list"}',
      encoding: 'utf8',
    });
    expect(madeThings.parse(JSON.parse(stdout).result)).toEqual(await madeIn(served.database.db, 'default'));
  });

  test('is not removed while something is in it', async () => {
    const project = await ask('noel', 'DELETE', `${LAB}/projects/play`);
    expect([project.status, project.json.error]).toEqual([
      409,
      expect.stringMatching(/has 1 jobs that have not ended/),
    ]);
    const org = await ask('admin', 'DELETE', `${ADMIN}/orgs/lab`);
    expect([org.status, org.json.error]).toEqual([409, expect.stringMatching(/has projects: play/)]);
  });
});

test('a manager of an organization makes nobody mightier, and takes nothing from its admins', async () => {
  for (const role of ['admin', 'manager']) {
    expect((await ask('noel', 'POST', `${ADMIN}/orgs/lab/users`, { user_name: 'rita', role })).status).toBe(403);
    expect((await ask('noel', 'PUT', `${LAB}/users/noel`, { role })).status).toBe(403);
  }
  expect((await ask('noel', 'DELETE', `${ADMIN}/orgs/lab/users/noel`)).status).toBe(403);
  expect((await ask('noel', 'PATCH', `${LAB}/quota`, { quota: {} })).status).toBe(403);
});

describe('a preset beside those of delos.yaml', () => {
  const PRESETS = '/clusters/default/orchestrator/resource_presets';
  const tiny = {
    name: 'tiny',
    credits_per_hour: '0.5000',
    cpu: 0.5,
    memory: 2 ** 28,
    resource_pool_names: ['default'],
  };
  const names = async (): Promise<readonly string[]> => {
    const { clusters } = await ok('alice', 'GET', '/config');
    return clusters[0].resource_presets.map(({ name }: { name: string }) => name);
  };

  test('is offered at once, outlives `up`, is changed and removed', async () => {
    const before = await names();
    await ok('admin', 'POST', PRESETS, tiny);
    await up();
    expect(await names()).toEqual([...before, 'tiny']);
    await ok('admin', 'PUT', `${PRESETS}/tiny`, { ...tiny, cpu: 0.25 });
    const again = await ask('admin', 'POST', PRESETS, tiny);
    expect([again.status, again.json.error]).toEqual([409, 'preset tiny is there already']);
    await ok('admin', 'DELETE', `${PRESETS}/tiny`);
    expect(await names()).toEqual(before);
  });

  test.each([
    ['of a pool that is not there', { ...tiny, resource_pool_names: ['none'] }, 400],
    ['with a TPU', { ...tiny, tpu: { type: 'v2-8', software_version: '1' } }, 501],
    ['without memory', { ...tiny, memory: 1 }, 400],
  ])('%s is refused', async (_what, body, status) => {
    expect((await ask('admin', 'POST', PRESETS, body)).status).toBe(status);
  });
});

describe('a name that delos.yaml declares later', () => {
  const members = [{ user: 'alice', quota: { runningJobs: 4 } }];
  const withLab = (role: 'reader' | 'writer', adopt: readonly string[] = [], quota: object = { runningJobs: 5 }) =>
    platformConfig.parse({
      ...TEST_CONFIG,
      adopt,
      organizations: [
        ...TEST_CONFIG.organizations,
        { name: 'lab', quota, members, projects: [{ name: 'play', members: [{ user: 'alice', role }] }] },
      ],
    });

  test('is not taken over where both say something else, and the difference is told', async () => {
    await expect(up(withLab('reader', [], { runningJobs: 3 }))).rejects.toThrow(
      'organization lab has quota {"runningJobs":5}, and delos.yaml says quota {"runningJobs":3}; ' +
        'member lab/play alice has role "writer", and delos.yaml says role "reader"; ' +
        'quota lab alice has quota {"runningJobs":2}, and delos.yaml says quota {"runningJobs":4}',
    );
    expect(await projectsOf('alice')).toContain('lab/play writer');
  });

  test('is taken over where the file says so', async () => {
    await up(withLab('reader', ['organization lab', 'member lab/play alice', 'quota lab alice'], { runningJobs: 3 }));
    expect(await projectsOf('alice')).toContain('lab/play reader');
    const own = await ask('admin', 'PATCH', `${LAB}/users/alice/quota`, { quota: { total_running_jobs: 9 } });
    expect(own.json.error).toMatch(/^the quota of alice in organization lab is declared in delos.yaml/);
    const refused = await ask('admin', 'PATCH', `${LAB}/quota`, { quota: { total_running_jobs: 9 } });
    expect([refused.status, refused.json.error]).toEqual([
      409,
      'organization lab is declared in delos.yaml, and only changed there; change it there and run: delos up',
    ]);
    // Who is in the organization was never the file's.
    expect(await madeIn(served.database.db, 'default')).toMatchObject({
      organizations: [],
      projects: [],
      orgMembers: [{ org: 'lab', user: 'noel', role: 'manager' }],
      members: [{ org: 'acme', project: 'one', user: 'bob', role: 'writer' }],
    });
  });

  test('goes with the file, but for projects that were made in it', async () => {
    await ok('noel', 'POST', `${LAB}/projects`, { name: 'own', is_default: false, default_role: 'writer' });
    await up();
    expect(await madeIn(served.database.db, 'default')).toMatchObject({
      organizations: [{ name: 'lab' }],
      projects: [{ org: 'lab', name: 'own' }],
    });
    await ok('noel', 'DELETE', `${LAB}/projects/own`);
    await ok('admin', 'DELETE', `${ADMIN}/orgs/lab`);
    expect((await ask('admin', 'GET', LAB)).status).toBe(404);
  });
});
