import { METRICS_PATH, yamlText } from '@delos/core';
import type { Database } from '../../base/database.ts';
import { fileOf } from '../../base/secret-folder.ts';

/** Path of Grafana at the gateway. */
export const GRAFANA_PATH = '/grafana';
/** Where the files of the ConfigMaps are mounted. */
export const CONFIG = '/etc/delos-grafana';
/** Where the dashboards are mounted: a folder for each audience. */
export const DASHBOARDS = '/etc/delos-dashboards';
/** Name by which dashboards know where metrics come from. */
export const DATA_SOURCE = 'delos';

/** What {@link settings} are made of. */
export interface GrafanaSettings {
  readonly port: number;
  readonly publicUrl: string;
  readonly database: Database;
  /** File of the key that what Grafana encrypts is encrypted with. */
  readonly key: string;
  /** The client of the realm. */
  readonly client: string;
  /** Where users see the realm. */
  readonly issuer: string;
  /** The realm, as it is reached from the cluster. */
  readonly realmUrl: string;
  /** The platform's administrator. */
  readonly admin: string;
}

/**
 * grafana.ini. People come by the realm alone. Grafana asks nobody outside: no updates, plugins, news, avatars, statistics.
 * @see https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/
 */
export function settings(props: GrafanaSettings): string {
  const { database, publicUrl } = props;
  const { host, hostname, protocol } = new URL(publicUrl);
  return sections({
    '': { app_mode: 'production', instance_name: 'delos' },
    paths: { data: '/tmp/grafana', plugins: '/tmp/plugins', logs: '/tmp', provisioning: CONFIG },
    server: {
      http_port: props.port,
      domain: hostname,
      root_url: `${publicUrl}${GRAFANA_PATH}/`,
      serve_from_sub_path: true,
    },
    database: {
      type: 'postgres',
      host: `${database.host}:${database.port}`,
      name: database.name,
      user: database.user,
      password: `$__file{${fileOf(database.password)}}`,
      ssl_mode: database.tls === undefined ? 'disable' : 'verify-full',
      ...(database.tls?.authority === undefined ? {} : { ca_cert_path: fileOf(database.tls.authority) }),
      max_open_conn: 10,
    },
    analytics: {
      reporting_enabled: false,
      check_for_updates: false,
      check_for_plugin_updates: false,
      feedback_links_enabled: false,
    },
    plugins: { preinstall_disabled: true, plugin_admin_enabled: false, public_key_retrieval_disabled: true },
    news: { news_feed_enabled: false },
    snapshots: { enabled: false, external_enabled: false },
    public_dashboards: { enabled: false },
    security: {
      secret_key: `$__file{${props.key}}`,
      disable_initial_admin_creation: true,
      disable_gravatar: true,
      cookie_secure: protocol === 'https:',
      cookie_samesite: 'lax',
      // Grafana sends cookies of its own alone: the platform's other paths share its origin.
      csrf_trusted_origins: host,
    },
    users: { allow_sign_up: false, allow_org_create: false, auto_assign_org_role: 'Viewer', viewers_can_edit: true },
    auth: { disable_login_form: true, oauth_allow_insecure_email_lookup: false },
    'auth.basic': { enabled: false },
    'auth.generic_oauth': {
      enabled: true,
      name: 'Delos',
      auto_login: true,
      allow_sign_up: true,
      client_id: props.client,
      use_pkce: true,
      use_refresh_token: true,
      scopes: 'openid',
      auth_url: `${props.issuer}/protocol/openid-connect/auth`,
      token_url: `${props.realmUrl}/protocol/openid-connect/token`,
      api_url: `${props.realmUrl}/protocol/openid-connect/userinfo`,
      signout_redirect_url: `${props.issuer}/protocol/openid-connect/logout`,
      login_attribute_path: 'identity',
      name_attribute_path: 'identity',
      // Grafana wants one of everybody, and sends none.
      email_attribute_path: `join('@', [identity, '${hostname}'])`,
      role_attribute_path: `identity == '${props.admin}' && 'GrafanaAdmin' || 'Viewer'`,
      role_attribute_strict: true,
      allow_assign_grafana_admin: true,
    },
    unified_alerting: { enabled: false },
    metrics: { enabled: true, disable_total_stats: true },
    log: { mode: 'console', level: 'info' },
    'log.console': { format: 'json' },
    dashboards: { default_home_dashboard_path: `${DASHBOARDS}/everybody/projects.json`, min_refresh_interval: '30s' },
  });
}

const sections = (all: Readonly<Record<string, Readonly<Record<string, string | number | boolean>>>>): string =>
  Object.entries(all)
    .map(([name, keys]) =>
      [...(name === '' ? [] : [`[${name}]`]), ...Object.entries(keys).map(([key, value]) => `${key} = ${value}`)].join(
        '\n',
      ),
    )
    .join('\n\n');

/**
 * Where metrics come from: the proxy that shows each user the own projects, asked with that user's own token.
 * @see https://grafana.com/docs/grafana/latest/administration/provisioning/#data-sources
 */
export const dataSources = (proxy: string): string =>
  yamlText({
    apiVersion: 1,
    prune: true,
    datasources: [
      {
        name: 'Metrics',
        uid: DATA_SOURCE,
        type: 'prometheus',
        access: 'proxy',
        url: `${proxy}${METRICS_PATH}`,
        isDefault: true,
        editable: false,
        jsonData: {
          httpMethod: 'POST',
          timeInterval: '30s',
          oauthPassThru: true,
          manageAlerts: false,
          cacheLevel: 'Low',
        },
      },
    ],
  });

/** Where the dashboards are. @see https://grafana.com/docs/grafana/latest/administration/provisioning/#dashboards */
export const providers = (audiences: Readonly<Record<string, string>>): string =>
  yamlText({
    apiVersion: 1,
    providers: Object.entries(audiences).map(([audience, folder]) => ({
      name: audience,
      folder,
      type: 'file',
      allowUiUpdates: false,
      disableDeletion: true,
      options: { path: `${DASHBOARDS}/${audience}` },
    })),
  });
