import { type Notifications, type SecretReference, yamlText } from '@delos/core';
import { portOfUrl } from '../../url-port.ts';

/** Where the files of the ConfigMap are mounted. */
export const CONFIG = '/etc/alertmanager';
/** Folder of the Secrets that `notifications` names: a folder for each. */
export const SECRETS = '/etc/alertmanager-secrets';

/** Where alerts of one kind go to. */
interface Receiver {
  readonly name: string;
  readonly severity: 'warning' | 'critical';
  readonly configs: Readonly<Record<string, readonly object[]>>;
  /** Secrets that it needs: their names, and where they are. */
  readonly secrets: readonly (readonly [name: string, reference: SecretReference])[];
  /** Port that it is reached at. */
  readonly port: number;
}

/** Without it, Alertmanager leaves the proxy of its environment aside. */
const BY_PROXY = { proxy_from_environment: true } as const;

/** The file that a secret is in, by the secret's name. */
type FileOf = (secret: string) => string;

/** A secret under a name, if there is one. */
const named = (name: string, reference: SecretReference | undefined) =>
  reference === undefined ? [] : [[name, reference] as const];
const some = <T>(value: T | undefined): readonly T[] => (value === undefined ? [] : [value]);
/** Where a secret says the whole address, it is one of https. */
const HTTPS = 443;
/** Alerts that one message names; it says how many more there are. */
const MOST_ALERTS = 100;

/** Everybody who is told. */
function receivers(
  { email, webhooks, slack, pagerduty }: Notifications,
  fileOf: FileOf = () => '',
  proxied = false,
): readonly Receiver[] {
  const byProxy = proxied ? BY_PROXY : {};
  return [
    ...some(email).map(({ severity, server, from, to, user, password, tls }) => ({
      name: 'email',
      severity,
      configs: {
        email_configs: to.map((address) => ({
          to: address,
          from,
          smarthost: server,
          require_tls: tls !== 'off',
          ...(tls === 'tls' ? { force_implicit_tls: true } : {}),
          ...(user === undefined ? {} : { auth_username: user, auth_password_file: fileOf('email') }),
          send_resolved: true,
        })),
      },
      secrets: named('email', password),
      port: Number(server.split(':')[1]),
    })),
    ...webhooks.map(({ name, severity, url, secretUrl, token }) => ({
      name: `webhook-${name}`,
      severity,
      configs: {
        webhook_configs: [
          {
            ...(secretUrl === undefined ? { url } : { url_file: fileOf(`webhook-${name}-url`) }),
            ...(token === undefined
              ? {}
              : {
                  http_config: {
                    ...byProxy,
                    authorization: { type: 'Bearer', credentials_file: fileOf(`webhook-${name}-token`) },
                  },
                }),
            max_alerts: MOST_ALERTS,
            timeout: '30s',
            send_resolved: true,
          },
        ],
      },
      secrets: [...named(`webhook-${name}-url`, secretUrl), ...named(`webhook-${name}-token`, token)],
      port: url === undefined ? HTTPS : portOfUrl(url),
    })),
    ...slack.map(({ name, severity, channel, url }) => ({
      name: `slack-${name}`,
      severity,
      configs: { slack_configs: [{ api_url_file: fileOf(`slack-${name}`), channel, send_resolved: true }] },
      secrets: named(`slack-${name}`, url),
      port: HTTPS,
    })),
    ...pagerduty.map(({ name, severity, routingKey }) => ({
      name: `pagerduty-${name}`,
      severity,
      configs: {
        pagerduty_configs: [
          {
            routing_key_file: fileOf(`pagerduty-${name}`),
            severity: '{{ if .CommonLabels.severity }}{{ .CommonLabels.severity }}{{ else }}error{{ end }}',
            send_resolved: true,
          },
        ],
      },
      secrets: named(`pagerduty-${name}`, routingKey),
      port: HTTPS,
    })),
  ];
}

/** Names of all secrets, and where they are. */
export const secretsFor = (notifications: Notifications): Receiver['secrets'] =>
  receivers(notifications).flatMap(({ secrets }) => secrets);

/** Ports outside of the cluster, or in it, that are reached, each once. */
export const portsFor = (notifications: Notifications): readonly number[] =>
  [...new Set(receivers(notifications).map(({ port }) => port))].sort((a, b) => a - b);

/**
 * Alertmanager's own configuration. Secrets are names of files in it, never values.
 * @see https://prometheus.io/docs/alerting/latest/configuration/
 */
export function settings(
  notifications: Notifications,
  { fileOf, proxied }: { readonly fileOf: FileOf; readonly proxied: boolean },
): string {
  const all = receivers(notifications, fileOf, proxied);
  return yamlText({
    global: { resolve_timeout: '5m', ...(proxied ? { http_config: BY_PROXY } : {}) },
    route: {
      // Who is told of nothing else: without anybody in `notifications`, alerts are kept and told to nobody.
      receiver: 'nobody',
      group_by: ['alertname', 'job'],
      group_wait: '15s',
      group_interval: '2m',
      repeat_interval: `${notifications.repeatHours}h`,
      routes: all.map(({ name, severity }) => ({
        receiver: name,
        matchers: [severity === 'critical' ? 'severity="critical"' : 'severity=~"warning|critical"'],
        continue: true,
      })),
    },
    // While a part is known not to answer, its other alerts tell nothing new.
    inhibit_rules: [
      {
        source_matchers: ['alertname="ServiceDown"'],
        target_matchers: ['alertname!="ServiceDown"', 'severity="warning"'],
        equal: ['job'],
      },
    ],
    receivers: [{ name: 'nobody' }, ...all.map(({ name, configs }) => ({ name, ...configs }))],
  });
}
