import type { ApiDeps } from '../../deps.ts';
import { configUrls } from '../../known-services.ts';
import { poolJson, presetJson } from '../config/index.ts';

/** The client insists on a time; nothing shows it. */
const LONG_AGO = '1970-01-01T00:00:00+00:00';

/** Clusters as the client's library of their configuration reads them. It is strict: what it asks for has to be there. */
export async function clusterJson(
  { database: { db }, settings, resources }: Pick<ApiDeps, 'database' | 'settings' | 'resources'>,
  names: readonly string[],
): Promise<readonly Record<string, unknown>[]> {
  if (names.length === 0) return [];
  const [rows, nodes] = await Promise.all([
    db.selectFrom('clusters').selectAll().where('name', 'in', names).execute(),
    db.selectFrom('nodes').select(['cluster', 'report']).where('cluster', 'in', names).execute(),
  ]);
  return names.flatMap((name) => {
    const row = rows.find((each) => each.name === name);
    if (row === undefined) return [];
    const reports = nodes.filter(({ cluster }) => cluster === name).map(({ report }) => report);
    const urls = configUrls(resources, settings.publicUrl, 'cluster', name === settings.cluster ? undefined : name);
    const at = (key: string): { readonly url: string } => ({ url: urls[key] ?? settings.publicUrl });
    const host = settings.jobsDomain ?? new URL(settings.publicUrl).host;
    return [
      {
        name,
        created_at: row.joined_at?.toISOString().replace('Z', '+00:00') ?? LONG_AGO,
        orchestrator: {
          job_hostname_template: `{job_id}.${host}`,
          job_fallback_hostname: host,
          job_schedule_timeout_s: 0,
          job_schedule_scale_up_timeout_s: 0,
          is_http_ingress_secure: settings.publicUrl.startsWith('https:'),
          resource_pool_types: row.pools.map((pool) => poolJson(pool, reports)),
          resource_presets: row.presets.map((preset) => presetJson(preset, row.pools)),
        },
        storage: at('storage_url'),
        registry: at('registry_url'),
        monitoring: at('monitoring_url'),
        secrets: at('secrets_url'),
        disks: { ...at('disks_url'), storage_limit_per_user: 0 },
        buckets: at('buckets_url'),
        metrics: { url: settings.publicUrl },
        energy: { co2_grams_eq_per_kwh: 0, schedules: [] },
        apps: { app_proxy_url: settings.publicUrl },
      },
    ];
  });
}
