import { plainValue, str, truthy, type UnitFields, type Value } from '@delos/flow';

/** A task's job, before the platform's client makes its addresses whole. Times are in seconds. */
export interface JobSpec {
  readonly image: string;
  readonly title: string | null;
  readonly name: string | null;
  readonly preset: string | null;
  readonly entrypoint: string | null;
  readonly cmd: string | null;
  readonly workdir: string | null;
  readonly volumes: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
  readonly httpPort: number | null;
  readonly httpAuth: boolean | null;
  readonly passConfig: boolean;
  readonly scheduleTimeout: number | null;
  readonly lifeSpan: number | null;
  readonly restart: string;
}

/** `fields`: every one has its value. `tags`: further ones that the job has. */
export function jobOf(fields: UnitFields, tags: readonly string[]): JobSpec {
  const text = (name: 'image' | 'title' | 'name' | 'preset' | 'entrypoint' | 'cmd' | 'workdir'): string | null => {
    const value = fields[name] as Value;
    return value === null ? null : str(value);
  };
  const number = (name: 'http_port' | 'schedule_timeout' | 'life_span'): number | null => {
    const value = fields[name] as Value;
    return truthy(value) ? Number(plainValue(value)) : null;
  };
  const auth = fields.http_auth as Value;
  return {
    image: text('image') ?? '',
    title: text('title'),
    name: text('name'),
    preset: text('preset'),
    entrypoint: text('entrypoint'),
    cmd: text('cmd'),
    workdir: text('workdir'),
    volumes: (fields.volumes as readonly Value[]).map(str),
    env: Object.fromEntries([...fields.env].map(([key, value]) => [key, str(value as Value)])),
    tags: [...new Set([...(fields.tags as readonly Value[]).map(str), ...tags])].sort(),
    httpPort: number('http_port'),
    httpAuth: auth === null ? null : truthy(auth),
    passConfig: truthy(fields.pass_config as Value),
    scheduleTimeout: number('schedule_timeout'),
    lifeSpan: number('life_span'),
    restart: fields.restart === null ? 'never' : str(fields.restart as Value),
  };
}
