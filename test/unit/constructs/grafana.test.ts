import { dashboardsOf, objectOf, SERVICES } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { egressOf } from './network-peers.ts';
import { EVERY_SERVICE, platformOf } from './synthesized.ts';

const platform = platformOf(EVERY_SERVICE);
const filesOf = (name: string): Readonly<Record<string, string>> =>
  z.record(z.string(), z.string()).parse(objectOf(platform, 'ConfigMap', name).manifest.data);
const all = dashboardsOf(SERVICES);

const panel = z.object({
  title: z.string(),
  type: z.enum(['timeseries', 'stat']),
  datasource: z.object({ type: z.literal('prometheus'), uid: z.string() }),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(
    z.object({
      refId: z.string(),
      expr: z.string(),
      legendFormat: z.string(),
      datasource: z.object({ uid: z.string() }),
    }),
  ),
});
const page = z.object({
  uid: z.string().max(40),
  title: z.string(),
  editable: z.literal(false),
  panels: z.array(panel),
});

describe('dashboards', () => {
  const shown = [
    ...Object.entries(filesOf('grafana-dashboards-platform')),
    ...Object.entries(filesOf('grafana-dashboards-everybody')),
  ];

  test('there is one for the platform, nodes, GPUs, jobs, projects, storage, and each service that has panels', () => {
    const withPanels = SERVICES.flatMap(({ name, panels }) => (panels === undefined ? [] : [`service-${name}.json`]));
    expect(withPanels.length).toBeGreaterThan(12);
    expect(shown.map(([file]) => file).sort()).toEqual(
      [
        ...['platform', 'cluster', 'gpus', 'jobs', 'projects', 'storage'].map((name) => `${name}.json`),
        ...withPanels,
      ].sort(),
    );
  });

  test('every service with alerts has panels, so that whoever is told can look', () => {
    expect(
      SERVICES.filter(({ alerts, panels }) => alerts !== undefined && panels === undefined).map(({ name }) => name),
    ).toEqual([]);
  });

  test.each(all.map((dashboard) => [dashboard.name, dashboard] as const))(
    '%s: each panel asks what our data says, of the one data source, and no two lie over each other',
    (name, dashboard) => {
      const text = shown.find(([file]) => file === `${name}.json`)?.[1] ?? '';
      const { panels, uid } = page.parse(JSON.parse(text));
      expect(uid).toBe(`delos-${name}`);
      expect(panels.map(({ title, targets }) => [title, targets.map(({ expr }) => expr)])).toEqual(
        dashboard.panels.map(({ title, series }) => [title, series.map(({ expr }) => expr)]),
      );
      for (const { datasource, targets } of panels) {
        for (const { uid: source } of [datasource, ...targets.map((target) => target.datasource)])
          expect(source).toBe('delos');
      }
      const places = panels.map(({ gridPos: { x, y, w } }) => `${x},${y}`.concat(x + w > 24 ? ' outside' : ''));
      expect(new Set(places).size).toBe(places.length);
      expect(places.filter((place) => place.endsWith('outside'))).toEqual([]);
    },
  );

  test('what everybody may open asks for nothing but series of projects', () => {
    const own = all.filter(({ audience }) => audience === 'everybody');
    expect(own).toHaveLength(1);
    for (const { expr } of own.flatMap(({ panels }) => panels.flatMap(({ series }) => series))) {
      expect(expr.match(/\bdelos_\w+/g)?.filter((metric) => !metric.startsWith('delos_project_'))).toEqual([]);
    }
  });
});

describe('Grafana (its binary cannot be had here: what it is given is looked at)', () => {
  const ini = filesOf('grafana-settings')['grafana.ini'] ?? '';
  const section = (name: string): Readonly<Record<string, string>> => {
    const body = new RegExp(`^\\[${name.replaceAll('.', '\\.')}\\]\\n((?:[^\\[\\n].*\\n?)*)`, 'm').exec(ini)?.[1] ?? '';
    return Object.fromEntries(
      body
        .trim()
        .split('\n')
        .map((line) => line.split(' = ') as [string, string]),
    );
  };

  test('it asks nobody outside, and nobody comes but by the realm', () => {
    expect(section('analytics')).toMatchObject({ reporting_enabled: 'false', check_for_updates: 'false' });
    expect(section('plugins')).toMatchObject({ preinstall_disabled: 'true', plugin_admin_enabled: 'false' });
    expect(section('auth')).toMatchObject({ disable_login_form: 'true' });
    expect(section('auth.basic')).toMatchObject({ enabled: 'false' });
    expect(section('security')).toMatchObject({ disable_initial_admin_creation: 'true' });
    expect(egressOf(platform, 'grafana').filter((to) => /0\.0\.0\.0|::/.test(to))).toEqual([]);
  });

  test('each query goes out with its user’s own token, to the proxy that shows the own projects', () => {
    const { datasources } = z
      .object({
        datasources: z.tuple([z.looseObject({ url: z.string(), uid: z.string(), jsonData: z.looseObject({}) })]),
      })
      .parse(parse(filesOf('grafana-sources')['metrics.yaml'] ?? ''));
    expect(datasources[0]).toMatchObject({
      url: 'http://metrics-proxy.delos.svc.cluster.local:8080/api/v1/prometheus',
      uid: 'delos',
      access: 'proxy',
      editable: false,
      jsonData: { oauthPassThru: true },
    });
  });

  test('its secrets are files, and it is a client of the realm, for the one address that it listens at', () => {
    expect(section('database').password).toMatch(/^\$__file\{\/.+\}$/);
    expect(section('security').secret_key).toMatch(/^\$__file\{\/.+\}$/);
    const { logins } = z
      .object({ logins: z.array(z.object({ id: z.string(), redirectUris: z.array(z.string()) })) })
      .parse(JSON.parse(filesOf('realm')['identity.json'] ?? ''));
    expect(logins.filter(({ id }) => id !== 'job-router')).toEqual([
      { id: 'grafana', redirectUris: [`${section('server').root_url}login/generic_oauth`] },
    ]);
    expect(section('auth.generic_oauth')).toMatchObject({
      client_id: 'grafana',
      use_pkce: 'true',
      role_attribute_strict: 'true',
    });
  });
});
