import type { JobSpec } from '@delos/engine';
import { type Home, platformUri } from '@delos/flow';
import type { ApiSettings } from '../deps.ts';
import { ownRegistry } from '../resources/registry/platform-image.ts';

/** The request that apolo-flow's own executor would send for a task's job. @throws PythonError for an address that is none */
export function jobBody(
  job: JobSpec,
  {
    home,
    settings,
    preset,
  }: { readonly home: Home; readonly settings: ApiSettings; readonly preset: string | undefined },
): Record<string, unknown> {
  const whole = (text: string): string => platformUri(text, home.place, home.project, { short: false }).text;
  const env = Object.entries(job.env);
  const mounts = job.volumes.map((volume) => mountOf(volume));
  const of = (scheme: string) => mounts.filter(({ uri }) => uri.startsWith(`${scheme}:`));
  const minutes = job.lifeSpan === null ? 0 : Math.floor(job.lifeSpan / 60);
  const fields = {
    image: imageOf(job.image, home, settings),
    preset_name: job.preset ?? preset,
    name: job.name,
    description: job.title,
    tags: job.tags,
    entrypoint: job.entrypoint,
    command: job.cmd,
    working_dir: job.workdir,
    env: Object.fromEntries(env.filter(([, value]) => !value.startsWith('secret:'))),
    secret_env: Object.fromEntries(
      env.filter(([, value]) => value.startsWith('secret:')).map(([name, value]) => [name, whole(value)]),
    ),
    volumes: mounts
      .filter(({ uri }) => !/^(secret|disk):/.test(uri))
      .map(({ uri, path, readOnly }) => ({ src_storage_uri: whole(uri), dst_path: path, read_only: readOnly })),
    secret_volumes: of('secret').map(({ uri, path }) => ({ src_secret_uri: whole(uri), dst_path: path })),
    disk_volumes: of('disk').map(({ uri, path, readOnly }) => ({
      src_disk_uri: whole(uri),
      dst_path: path,
      read_only: readOnly,
    })),
    http: job.httpPort === null ? null : { port: job.httpPort, requires_auth: job.httpAuth ?? true },
    resources: { shm: true },
    tty: false,
    pass_config: job.passConfig,
    schedule_timeout: job.scheduleTimeout,
    max_run_time_minutes: job.lifeSpan === null ? null : minutes,
    restart_policy: job.restart === 'never' ? null : job.restart,
    // The engine bounds what starts at once; what is over a quota waits.
    wait_for_jobs_quota: true,
    cluster_name: home.place.cluster,
    org_name: home.place.org,
    project_name: home.project,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

/** `ADDRESS:PATH[:ro|rw]`. */
function mountOf(volume: string): { readonly uri: string; readonly path: string; readonly readOnly: boolean } {
  const [, uri = volume, path = '', mode] = /^(.*):(\/[^:]*)(?::(ro|rw))?$/.exec(volume) ?? [];
  return { uri, path, readOnly: mode === 'ro' };
}

/** An image of the platform by the name that a node pulls it by; others as they are. */
export function imageOf(image: string, home: Home, settings: Pick<ApiSettings, 'registry' | 'publicUrl'>): string {
  if (!image.startsWith('image:')) return image;
  const path = platformUri(image, home.place, home.project, { short: false }).text.replace(/^image:\/\/[^/]*\//, '');
  const registry = ownRegistry(settings);
  const tagged = path.includes(':') ? path : `${path}:latest`;
  return registry === undefined ? tagged : `${registry}/${tagged}`;
}
