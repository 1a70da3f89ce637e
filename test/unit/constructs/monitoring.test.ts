import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  engineContext,
  objectOf,
  parseConfig,
  SERVICES,
  type Synthesis,
  serviceImages,
  synthesize,
} from '@delos/constructs';
import { hostOf } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { policiesFor, workloadsOfPeer } from './network-peers.ts';
import { EVERY_SERVICE, kindOf, platformOf, workloadsOf } from './synthesized.ts';

const RUNBOOKS = join(import.meta.dirname, '../../../docs/runbooks');
const platform = platformOf(EVERY_SERVICE);
const workloads = workloadsOf(platform);

const scraped = z.array(
  z.object({
    job_name: z.string(),
    metrics_path: z.string(),
    dns_sd_configs: z.tuple([z.looseObject({ names: z.tuple([z.string()]), port: z.number() })]),
  }),
);
const alertRule = z.object({
  alert: z.string(),
  expr: z.string(),
  labels: z.object({ severity: z.enum(['warning', 'critical']) }),
  annotations: z.object({ summary: z.string(), runbook: z.string() }),
});

/** A file of the ConfigMap of this name, read. */
function fileOf(synthesis: Synthesis, service: string, file: string): Readonly<Record<string, unknown>> {
  const data = z.record(z.string(), z.string()).parse(objectOf(synthesis, 'ConfigMap', service).manifest.data);
  return z.record(z.string(), z.unknown()).parse(parse(data[file] ?? ''));
}

const targets = scraped.parse(fileOf(platform, 'prometheus', 'prometheus.yaml').scrape_configs);
const alertsOf = (synthesis: Synthesis) =>
  z
    .array(z.object({ rules: z.array(z.looseObject({})) }))
    .parse(fileOf(synthesis, 'prometheus', 'rules.yaml').groups)
    .flatMap(({ rules }) => rules)
    .filter((rule) => 'alert' in rule)
    .map((rule) => alertRule.parse(rule));
const alone = alertsOf(platform);
/** Those too that a service has only where it has members. */
const alerts = [
  ...alone,
  ...alertsOf(platformOf('services: {postgres: {replicas: 3}}')).filter(
    ({ alert }) => !alone.some((each) => each.alert === alert),
  ),
];

describe('what Prometheus asks for metrics', () => {
  test('it asks each service whose descriptor says where its metrics are, and nobody else', () => {
    const measured = SERVICES.filter(({ metrics }) => metrics !== undefined).map(({ name }) => name);
    expect(measured.length).toBeGreaterThan(7);
    expect(targets.map(({ job_name }) => job_name).sort()).toEqual(measured.sort());
  });

  test.each(targets.map((target) => [target.job_name, target] as const))(
    '%s: each Pod by itself, at a port that it listens on',
    (job, { dns_sd_configs: [{ names, port }] }) => {
      const workload = workloads.find(({ name }) => name === job);
      const ports = workload?.pod.containers.flatMap((container) => container.ports) ?? [];
      expect(ports.map(({ containerPort }) => containerPort)).toContain(port);
      expect(names).toEqual([`${hostOf(`${job}-metrics`, workload?.namespace ?? '')}.`]);
      const { spec } = objectOf(platform, 'Service', `${job}-metrics`).manifest;
      expect(spec).toMatchObject({
        clusterIP: 'None',
        publishNotReadyAddresses: true,
        selector: workload?.selector,
        ports: [{ port }],
      });
    },
  );

  test('of ports that carry metrics and health alone, Prometheus is the one peer that is let in', () => {
    const admitted = (job: string, port: number): readonly string[] => {
      const workload = workloads.find(({ name }) => name === job);
      if (workload === undefined) return [];
      return policiesFor(platform, workload).flatMap(({ metadata, spec }) =>
        spec.ingress
          .filter(({ ports }) => ports.some((listed) => listed.port === port))
          .flatMap(({ from }) => from?.flatMap((peer) => workloadsOfPeer(platform, metadata.namespace, peer)) ?? [])
          .map(({ name }) => name),
      );
    };
    const peers = Object.fromEntries(
      targets.map(({ job_name, dns_sd_configs: [{ port }] }) => [job_name, [...admitted(job_name, port)].sort()]),
    );
    const alone = ['prometheus'];
    expect(peers).toEqual({
      acme: alone,
      agent: alone,
      alertmanager: alone,
      'amd-gpu-exporter': alone,
      charts: alone,
      collector: alone,
      // Its internal port takes agents, collectors and other replicas as well, each with its token; by the gateway those of
      // clusters that have joined.
      'control-api': ['agent', 'collector', 'control-api', 'gateway', 'prometheus'],
      'database-archive': alone,
      'dcgm-exporter': alone,
      devpi: alone,
      dns: alone,
      egress: alone,
      files: alone,
      gateway: alone,
      // It has one port for all.
      grafana: ['gateway', 'prometheus'],
      identity: alone,
      'intel-gpu-exporter': alone,
      'job-router': alone,
      keycloak: alone,
      'kube-state-metrics': alone,
      'metrics-proxy': alone,
      'node-exporter': alone,
      'object-storage': alone,
      prometheus: ['metrics-proxy', 'prometheus'],
      registry: alone,
      scheduler: alone,
      'victoria-logs': ['collector', 'control-api', 'prometheus'],
    });
  });

  test('Prometheus has no Kubernetes token and reaches nothing outside of the cluster', () => {
    const pod = workloads.find(({ name }) => name === 'prometheus')?.pod;
    expect(pod?.automountServiceAccountToken).toBe(false);
    const all = workloads.filter(({ name }) => name === 'prometheus').flatMap((each) => policiesFor(platform, each));
    for (const rule of all.flatMap(({ spec }) => spec.egress)) expect(rule.to).toBeDefined();
  });

  test('kube-state-metrics looks into the platform’s namespaces alone, and tells no label of an object', () => {
    const command = workloads.find(({ name }) => name === 'kube-state-metrics')?.pod.containers[0]?.command;
    expect(command).toEqual(expect.arrayContaining(['--namespaces=delos,delos-node']));
    // Labels of objects are their makers’, and so could be named `project`.
    expect(JSON.stringify(command)).not.toMatch(/labels-allowlist|annotations-allowlist/);
  });

  test('kube-state-metrics tells each metric that an alert or a panel asks for, and no others', () => {
    const service = SERVICES.find(({ name }) => name === 'kube-state-metrics');
    const asked = [
      ...(service?.alerts ?? []).map(({ expr }) => expr),
      ...(service?.panels ?? []).flatMap(({ series }) => series.map(({ expr }) => expr)),
    ].flatMap((expr) => expr.match(/kube_\w+/g) ?? []);
    const command = z
      .array(z.string())
      .parse(workloads.find(({ name }) => name === 'kube-state-metrics')?.pod.containers[0]?.command);
    const told = command.find((part) => part.startsWith('--metric-allowlist='))?.match(/kube_\w+/g);
    expect(told).toEqual([...new Set(asked)].sort());
  });

  test('node exporter mounts nothing of its node', () => {
    const pod = workloads.find(({ name }) => name === 'node-exporter')?.pod;
    expect(pod?.volumes.map(({ name, emptyDir }) => [name, emptyDir !== undefined])).toEqual([
      ['node-disk', true],
      ['names', true],
    ]);
  });
});

describe('alerts', () => {
  const names = alerts.map(({ alert }) => alert);

  test('no two have one name, which is in words that begin with capitals', () => {
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^([A-Z][a-z]+)+$/);
  });

  test('each is in the rules of the service that says it', () => {
    const said = SERVICES.flatMap(({ alerts: own = [], members }) =>
      [...own, ...(members?.alerts ?? [])].map(({ name }) => name),
    );
    expect(said.length).toBeGreaterThan(15);
    expect([...names].sort()).toEqual([...said, 'ServiceDown'].sort());
  });

  test.each(alerts.map((alert) => [alert.alert, alert] as const))(
    '%s has a page that says what it is, how bad, why it comes and what to do',
    (name, { labels: { severity }, annotations }) => {
      expect(annotations.runbook).toBe(`docs/runbooks/${name}.md`);
      const page = readFileSync(join(RUNBOOKS, `${name}.md`), 'utf8');
      expect(page).toMatch(new RegExp(`^# ${name}: \\S`));
      expect(page.replaceAll('\n', ' ')).toContain(`Severity: ${severity}.`);
      expect(page).toContain('\n## Causes\n');
      expect(page).toContain('\n## What to do\n');
    },
  );

  test('each page is of an alert, and its links lead to others', () => {
    const pages = readdirSync(RUNBOOKS);
    expect(pages.sort()).toEqual(names.map((name) => `${name}.md`).sort());
    for (const page of pages) {
      const links = readFileSync(join(RUNBOOKS, page), 'utf8').matchAll(/\]\(([^)]+)\)/g);
      for (const [, link] of links) expect(pages).toContain(link);
    }
  });

  test('a part of which there is no Pod at all is missed as well', () => {
    const down = alerts.find(({ alert }) => alert === 'ServiceDown')?.expr;
    // Those of GPUs run where there are any.
    const missed = targets.filter(({ job_name }) => !/gpu|dcgm/.test(job_name));
    expect(missed).toHaveLength(targets.length - 3);
    for (const { job_name } of targets) {
      expect(down?.includes(`absent(up{job="${job_name}"})`)).toBe(missed.some((each) => each.job_name === job_name));
    }
  });
});

describe('whom Alertmanager tells', () => {
  const EVERY_KIND = `notifications:
  email: {server: 'mail.example.com:465', from: a@example.com, to: [b@example.com], user: u, password: {secret: {name: mail, key: password}}, tls: tls}
  webhooks:
    - {name: plain, url: 'http://hooks.example.com:8099/a', severity: critical}
    - {name: hidden, secretUrl: {secret: {name: hooks, key: url}}, token: {secret: {name: hooks, key: token}}}
  slack: [{name: ops, channel: '#ops', url: {secret: {name: slack, key: url}}}]
  pagerduty: [{name: duty, routingKey: {secret: {name: duty, key: key}}}]
  repeatHours: 12
`;
  const told = platformOf(EVERY_KIND);
  const config = fileOf(told, 'alertmanager', 'alertmanager.yaml');

  test('without anybody, alerts are kept and told to nobody, and no way out of the cluster is open', () => {
    const nobody = fileOf(platform, 'alertmanager', 'alertmanager.yaml');
    expect(nobody.receivers).toEqual([{ name: 'nobody' }]);
    const all = workloads.filter(({ name }) => name === 'alertmanager').flatMap((each) => policiesFor(platform, each));
    for (const { to } of all.flatMap(({ spec }) => spec.egress)) expect(to).toBeDefined();
  });

  test('each is told what is as bad as it asks for', () => {
    const { routes } = z
      .looseObject({
        routes: z.array(z.object({ receiver: z.string(), matchers: z.array(z.string()), continue: z.literal(true) })),
      })
      .parse(config.route);
    expect(routes.map(({ receiver, matchers }) => [receiver, ...matchers])).toEqual([
      ['email', 'severity=~"warning|critical"'],
      ['webhook-plain', 'severity="critical"'],
      ['webhook-hidden', 'severity=~"warning|critical"'],
      ['slack-ops', 'severity=~"warning|critical"'],
      ['pagerduty-duty', 'severity=~"warning|critical"'],
    ]);
  });

  test('secrets are files of the Secrets that delos.yaml names, and no value is in a manifest', () => {
    const files = JSON.stringify(config).match(/\/etc\/alertmanager-secrets\/[^"]+/g) ?? [];
    expect(files.map((file) => file.replace('/etc/alertmanager-secrets/', '')).sort()).toEqual([
      'duty/key',
      'hooks/token',
      'hooks/url',
      'mail/password',
      'slack/url',
    ]);
    const pod = workloadsOf(told).find(({ name }) => name === 'alertmanager')?.pod;
    const mounted = pod?.volumes.flatMap(({ secret }) => (secret === undefined ? [] : [secret]));
    expect(mounted).toEqual(
      ['mail', 'hooks', 'slack', 'duty'].map((secretName) => ({ secretName, defaultMode: 0o400 })),
    );
  });

  test('a secret in a file of the machine that deploys is in a Secret of ours, which no manifest has the value of', () => {
    const synthesis = platformOf(
      "notifications: {slack: [{name: ops, channel: '#ops', url: {file: /run/secrets/slack}}]}",
    );
    const { manifest, secrets } = objectOf(synthesis, 'Secret', 'alertmanager-slack-ops');
    expect(secrets).toEqual({ value: { kind: 'file', path: '/run/secrets/slack' } });
    expect(manifest.data).toBeUndefined();
    const text = JSON.stringify(fileOf(synthesis, 'alertmanager', 'alertmanager.yaml'));
    expect(text).toContain('"api_url_file":"/etc/alertmanager-secrets/alertmanager-slack-ops/value"');
  });

  test('the ports of those who are told are open, and no others', () => {
    const alertmanager = workloadsOf(told).filter(({ name }) => name === 'alertmanager');
    const open = alertmanager
      .flatMap((each) => policiesFor(told, each))
      .flatMap(({ spec }) => spec.egress.filter(({ to }) => to === undefined))
      .flatMap(({ ports }) => ports.map(({ port }) => port));
    expect(open).toEqual([443, 465, 8099]);
  });
});

describe('remote write', () => {
  const text = (remote: string): string => `services: {prometheus: {remoteWrite: [${remote}]}}`;

  test('a user’s password and a token are files of the Secrets that delos.yaml names', () => {
    const synthesis = platformOf(
      text(
        `{url: 'https://a.example.com/w', user: u, password: {secret: {name: store, key: p}}}, {url: 'http://b.example.com:9009/w', token: {secret: {name: other, key: t}}}`,
      ),
    );
    expect(fileOf(synthesis, 'prometheus', 'prometheus.yaml').remote_write).toMatchObject([
      { basic_auth: { username: 'u', password_file: '/etc/prometheus-secrets/store/p' } },
      { authorization: { type: 'Bearer', credentials_file: '/etc/prometheus-secrets/other/t' } },
    ]);
    const pod = workloadsOf(synthesis).find(({ name }) => name === 'prometheus')?.pod;
    const mounts = pod?.containers[0]?.volumeMounts.map(({ name, mountPath }) => `${name} ${mountPath}`);
    expect(mounts).toEqual(
      expect.arrayContaining(['secret-0 /etc/prometheus-secrets/store', 'secret-1 /etc/prometheus-secrets/other']),
    );
  });

  test.each([
    ["{url: 'https://a.example.com/w', user: u}", /a user needs `password`/],
    ["{url: 'https://a.example.com/w', password: {secret: {name: s, key: k}}}", /a password needs `user`/],
    [
      "{url: 'https://a.example.com/w', user: u, password: {secret: {name: s, key: k}}, token: {secret: {name: s, key: t}}}",
      /found both/,
    ],
    ['{url: a.example.com}', /expected a URL such as/],
  ])('%s is refused', (remote, says) => {
    expect(() => parseConfig(text(remote), 'delos.yaml')).toThrow(says);
  });
});

describe('which platforms have it', () => {
  const monitoring = ['alertmanager', 'node-exporter', 'prometheus'];

  test('where monitoring is off, nothing of it is there and its images are not made', () => {
    const without = platformOf('monitoring: {enabled: false}');
    const names = without.objects.map(({ manifest }) => manifest.metadata.name);
    expect(names.filter((name) => name.endsWith('-metrics') || monitoring.includes(name))).toEqual([]);
    expect(serviceImages(parseConfig('monitoring: {enabled: false}', 'f'))).toEqual({
      unwanted: [
        'pg-archive',
        'victoria-logs',
        'image-saver',
        'charts',
        // Asked for by its cluster.
        'files',
        'coredns',
        'alertmanager',
        'node-exporter',
        'kube-state-metrics',
        'dcgm-exporter',
        'amd-gpu-exporter',
        'intel-gpu-exporter',
        'prometheus',
        'metrics-proxy',
        'grafana',
        'patroni',
      ],
      late: ['objects', 'registry', 'image-builder'],
    });
  });

  test('as long as the images of services that come after the first job are not there, the platform is whole without them', () => {
    const config = parseConfig(EVERY_SERVICE, 'delos.yaml');
    const { late, unwanted } = serviceImages(config);
    const own = ['kube-state-metrics', 'registry', 'charts', 'image-builder', 'image-saver', 'objects'];
    expect([...late].sort()).toEqual([...monitoring, ...own].sort());
    expect(unwanted).toEqual(['patroni']);
    const context = engineContext(config, 'embedded');
    const images = Object.fromEntries(Object.entries(context.images).filter(([name]) => !late.includes(name)));
    const early = synthesize(config, { ...context, images });
    expect(
      workloadsOf(early)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(
      workloads
        .map(({ name }) => name)
        .filter((name) => !late.includes(name))
        .sort(),
    );
    // What comes later changes no Pod that is there: no service starts anew for it.
    for (const { name, object } of workloadsOf(early)) {
      if (name === 'object-storage') {
        // Others are led to it from the start.
        expect(object.manifest.spec).toMatchObject({ replicas: 0 });
        continue;
      }
      expect(workloads.find((each) => each.name === name)?.object.manifest).toEqual(object.manifest);
    }
  });
});

test('Services that carry metrics alone are of Prometheus, so that they go when it goes', () => {
  const services = kindOf(platform, 'Service').filter(
    ({ manifest }) => manifest.metadata.name.endsWith('-metrics') && manifest.metadata.name !== 'kube-state-metrics',
  );
  expect(services).toHaveLength(targets.length);
  expect(new Set(services.map(({ part }) => part))).toEqual(new Set(['prometheus']));
});
