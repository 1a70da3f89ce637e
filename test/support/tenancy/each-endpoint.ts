import { WebSocket } from 'ws';
import { RULES } from '../../../runtime/service/src/api/authorization/rules.ts';
import { RESOURCES } from '../../../runtime/service/src/api/resources.ts';
import type { TestApi } from '../service/control-api.ts';

/*
 * A request for each line of the table of rights (runtime/service/src/api/authorization/rules.ts), about something that alice
 * has made in acme/one. A line without one here fails its test.
 */

/** Something that alice made, and what it belongs to beside the project. */
export interface Made {
  readonly id: string;
  readonly parent: string;
}

/** Path of the request, its body, and what only an answer to somebody who may read has. */
export interface Asked {
  readonly path: string;
  readonly body?: unknown;
  readonly marker?: string;
}

const P = { org_name: 'acme', project_name: 'one' };
const JOB = { preset_name: 'cpu-small', ...P, image: 'ubuntu:24.04', pass_config: false };
const DISK = { storage: 2 ** 20, life_span: null, name: null, ...P };
const IMPORTED = {
  provider: 'aws',
  name: null,
  ...P,
  provider_bucket_name: 'theirs',
  credentials: { access_key_id: 'id', secret_access_key: 'key' },
};
const ACCOUNT = { default_cluster: 'default', default_org: 'acme', default_project: 'one' };
const PRESET = { name: 'cpu-small', credits_per_hour: '1', cpu: 1, memory: 2 ** 30 };
const now = (): string => new Date().toISOString();
const live = (flow: string) => ({ project_id: flow, yaml_id: 'a', multi: false, tags: [] });
const task = (attempt: string) => ({
  attempt_id: attempt,
  yaml_id: 'a',
  statuses: [{ created_at: now(), status: 'pending' }],
});
const attempt = (bake: string, file: string) => ({
  bake_id: bake,
  number: 1,
  result: 'pending',
  configs_meta: { workspace: '/flow', flow_config_id: file, action_config_ids: {} },
});
const entry = (flow: string) => ({ project_id: flow, batch: 'train', task_id: 'a', key: 'k', outputs: {}, state: {} });
const file = (bake: string) => ({ bake_id: bake, filename: '/flow/train.yml', content: '' });
const SUBMITTED = {
  ...P,
  flow: 'submitted',
  batch: 'train',
  workspace: '/flow',
  flow_file: {
    filename: '/flow/train.yml',
    content: 'kind: batch\ntasks: [{ image: "ubuntu:24.04", preset: cpu-small, cmd: ls }]\n',
  },
};
const image = (bake: string) => ({ bake_id: bake, ref: 'image:a', yaml_defs: ['a'], status: 'pending' });

let schedules = 0;
const scheduled = () => {
  schedules += 1;
  return { name: `nightly${schedules}`, cron: '0 2 * * *', bake: SUBMITTED };
};

let flows = 0;

/** How alice makes one of each resource that has objects. */
export function makers(api: TestApi): Readonly<Record<string, () => Promise<Made>>> {
  const post = async (path: string, body: object): Promise<string> => {
    const { status, json, text } = await api.request('alice', 'POST', path, body);
    if (status >= 300) throw new Error(`${path}: ${text}`);
    return json.id ?? json.key;
  };
  const flow = (): Promise<string> => {
    flows += 1;
    return post('/flow/projects', { name: `flow${flows}`, ...P, cluster: 'default' });
  };
  const bake = async (): Promise<string> =>
    post('/flow/bakes', { project_id: await flow(), name: 'b', batch: 'train', graphs: {} });
  const configFile = (of: string): Promise<string> => post('/flow/config_files', file(of));
  const within = async (parent: Promise<string>, path: string, body: (of: string) => object): Promise<Made> => {
    const of = await parent;
    return { id: await post(path, body(of)), parent: of };
  };
  const alone = async (id: Promise<string>): Promise<Made> => ({ id: await id, parent: '' });
  const attemptOf = async (): Promise<Made> => {
    const of = await bake();
    return { id: await post('/flow/attempts', attempt(of, await configFile(of))), parent: of };
  };
  const bucket = (): Promise<string> => post('/buckets/buckets', { name: null, ...P });
  return {
    jobs: () => alone(post('/jobs?from_preset', JOB)),
    disks: () => alone(post('/disk', DISK)),
    buckets: () => alone(bucket()),
    credentials: async () => {
      const of = await bucket();
      return { id: await post('/buckets/persistent_credentials', { name: null, bucket_ids: [of] }), parent: of };
    },
    credits: async () => {
      await api.request('admin', 'POST', '/credits/acme', { credits: '1000', why: 'a test' });
      return { id: 'acme', parent: '' };
    },
    'service-accounts': () => alone(post('/service_accounts', { ...ACCOUNT, name: null })),
    secrets: () => alone(post('/secrets', { key: 'mine', value: 'eA==', ...P })),
    'flow-projects': async () => ({ id: await flow(), parent: `flow${flows}` }),
    'flow-live-jobs': () => within(flow(), '/flow/live_jobs', live),
    // It has ended, so that it can be restarted.
    'flow-bakes': async () => {
      const made = await within(flow(), '/flow/bakes', (of) => ({
        project_id: of,
        name: 'b',
        batch: 'train',
        graphs: {},
      }));
      const flowFile = await post('/flow/config_files', { bake_id: made.id, ...SUBMITTED.flow_file });
      await post('/flow/attempts', { ...attempt(made.id, flowFile), result: 'failed' });
      return made;
    },
    'flow-attempts': attemptOf,
    'flow-tasks': async () => {
      const { id: of } = await attemptOf();
      return { id: await post('/flow/tasks', task(of)), parent: of };
    },
    'flow-cache': () => within(flow(), '/flow/cache_entries', entry),
    'flow-config-files': () => within(bake(), '/flow/config_files', file),
    'flow-bake-images': () => within(bake(), '/flow/bake_images', image),
    'flow-schedules': async () => ({ id: await post('/flow/schedules', scheduled()), parent: '' }),
  };
}

const seen = (path: string, marker: string): Asked => ({ path, marker });
const at = (path: string, body?: unknown): Asked => (body === undefined ? { path } : { path, body });
let numbers = 0;

/** By resource and endpoint. Those that only name an object follow by themselves. */
const ASKED: Readonly<Record<string, (made: Made) => Asked>> = {
  'jobs POST ': () => at('/jobs?from_preset', JOB),
  'jobs POST /:id/save': ({ id }) => at(`/jobs/${id}/save`, { container: { image: '127.0.0.1/acme/one/mine:1' } }),
  'disks POST ': () => at('/disk', DISK),
  'buckets POST /buckets': () => at('/buckets/buckets', { name: null, ...P }),
  'buckets POST /buckets/import/external': () => at('/buckets/buckets/import/external', IMPORTED),
  'buckets GET /buckets/find/by_path': ({ id }) => at(`/buckets/buckets/find/by_path?path=acme/one/${id}`),
  'buckets POST /persistent_credentials': ({ id }) =>
    at('/buckets/persistent_credentials', { name: null, bucket_ids: [id], read_only: true }),
  'secrets POST ': () => at('/secrets', { key: 'other', value: 'eA==', ...P }),
  'users POST /:user/permissions': ({ id }) =>
    at('/users/alice/permissions', [{ uri: `job://default/acme/one/${id}`, action: 'read' }]),
  'users DELETE /:user/permissions': ({ id }) =>
    at(`/users/bob/permissions?uri=${encodeURIComponent(`job://default/acme/one/${id}`)}`),
  'users POST /:user/permissions/check': () => at('/users/alice/permissions/check', []),
  'log-search GET ': () => at('/log-search?org_name=acme&search=x'),
  'credits GET ': () => seen('/credits', 'acme'),
  'credits GET /:org/statement': () => at('/credits/acme/statement?month=2027-01'),
  'credits POST /:org': () => at('/credits/acme', { credits: '1', why: 'a test' }),
  'admin PATCH /orgs/:org/balance': () => at('/apis/admin/v1/orgs/acme/balance', { additional_credits: '1' }),
  'storage GET /rights': () => seen('/storage/rights', 'acme'),
  'admin GET /orgs': () => seen('/apis/admin/v1/orgs', 'acme'),
  'admin GET /clusters/:cluster/orgs': () => seen('/apis/admin/v1/clusters/default/orgs', 'acme'),
  'admin GET /clusters/:cluster/users': () => seen('/apis/admin/v1/clusters/default/users', 'alice'),
  'admin GET /clusters/:cluster/users/:user': () => seen('/apis/admin/v1/clusters/default/users/alice', 'alice'),
  'admin GET /clusters/:cluster/projects': () => seen('/apis/admin/v1/clusters/default/projects', 'acme'),
  'admin GET /clusters/:cluster/projects/:project/users': () =>
    seen('/apis/admin/v1/clusters/default/projects/one/users', 'alice'),
  // What delos.yaml declares: nothing is changed by them, whoever asks.
  'admin POST /orgs': () => at('/apis/admin/v1/orgs', { name: 'acme' }),
  'admin POST /orgs/:org/users': () => at('/apis/admin/v1/orgs/acme/users', { user_name: 'orla', role: 'user' }),
  'admin POST /clusters/:cluster/orgs': () =>
    at('/apis/admin/v1/clusters/default/orgs', { org_name: 'acme', quota: {} }),
  'admin PUT /clusters/:cluster/orgs/:org': () => at('/apis/admin/v1/clusters/default/orgs/acme', { quota: {} }),
  'admin PATCH /clusters/:cluster/orgs/:org/quota': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/quota', { quota: {} }),
  'admin PATCH /clusters/:cluster/orgs/:org/defaults': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/defaults', { quota: {}, default_role: 'user' }),
  'admin POST /clusters/:cluster/users': () =>
    at('/apis/admin/v1/clusters/default/users', { user_name: 'orla', role: 'user', org_name: 'acme' }),
  'admin PATCH /clusters/:cluster/orgs/:org/users/:user/quota': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/users/orla/quota', { quota: {} }),
  'admin PUT /clusters/:cluster/orgs/:org/users/:user': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/users/orla', { role: 'user' }),
  'admin DELETE /clusters/:cluster/orgs/:org/users/:user': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/users/alice'),
  'admin POST /clusters/:cluster/orgs/:org/projects': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/projects', { name: 'one', default_role: 'writer' }),
  'admin PUT /clusters/:cluster/orgs/:org/projects/:project': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/projects/one', { default_role: 'writer' }),
  'admin POST /clusters/:cluster/orgs/:org/projects/:project/users': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/projects/one/users', { user_name: 'alice', role: 'reader' }),
  'admin PUT /clusters/:cluster/orgs/:org/projects/:project/users/:user': () =>
    at('/apis/admin/v1/clusters/default/orgs/acme/projects/one/users/alice', { role: 'reader' }),
  'clusters POST /:cluster/orchestrator/resource_presets': () =>
    at('/clusters/default/orchestrator/resource_presets', PRESET),
  'clusters PUT /:cluster/orchestrator/resource_presets/:preset': () =>
    at('/clusters/default/orchestrator/resource_presets/cpu-small', PRESET),
  'flow-projects POST ': () => {
    numbers += 1;
    return at('/flow/projects', { name: `another${numbers}`, ...P, cluster: 'default' });
  },
  'flow-projects GET /by_name': ({ parent }) =>
    at(`/flow/projects/by_name?name=${parent}&cluster=default&org_name=acme&project_name=one`),
  'flow-live-jobs GET ': ({ id, parent }) => seen(`/flow/live_jobs?project_id=${parent}`, id),
  'flow-live-jobs POST ': ({ parent }) => at('/flow/live_jobs', { ...live(parent), yaml_id: 'b' }),
  'flow-live-jobs PUT /replace': ({ parent }) => at('/flow/live_jobs/replace', live(parent)),
  'flow-live-jobs GET /by_yaml_id': ({ parent }) => at(`/flow/live_jobs/by_yaml_id?project_id=${parent}&yaml_id=a`),
  'flow-bakes GET ': ({ id, parent }) => seen(`/flow/bakes?project_id=${parent}`, id),
  'flow-bakes POST ': ({ parent }) => at('/flow/bakes', { project_id: parent, batch: 'train', graphs: {} }),
  'flow-bakes GET /by_name': ({ parent }) => at(`/flow/bakes/by_name?project_id=${parent}&name=b`),
  'flow-bakes GET /recent': ({ id }) => seen('/flow/bakes/recent?limit=1000', id),
  'flow-bakes POST /submit': () => at('/flow/bakes/submit', SUBMITTED),
  'flow-bakes GET /:id/diff': ({ id }) => at(`/flow/bakes/${id}/diff?with=${id}`),
  'flow-schedules GET ': ({ id }) => seen('/flow/schedules', id),
  'flow-schedules POST ': () => at('/flow/schedules', scheduled()),
  'flow-attempts GET ': ({ id, parent }) => seen(`/flow/attempts?bake_id=${parent}`, id),
  'flow-attempts POST ': ({ id, parent }) => at('/flow/attempts', attempt(parent, id)),
  'flow-attempts PUT /replace': ({ id, parent }) => at('/flow/attempts/replace', attempt(parent, id)),
  'flow-attempts GET /by_number': ({ parent }) => at(`/flow/attempts/by_number?bake_id=${parent}&number=1`),
  'flow-tasks GET ': ({ id, parent }) => seen(`/flow/tasks?attempt_id=${parent}`, id),
  'flow-tasks POST ': ({ parent }) => at('/flow/tasks', { ...task(parent), yaml_id: 'b' }),
  'flow-tasks PUT /replace': ({ parent }) => at('/flow/tasks/replace', task(parent)),
  'flow-tasks GET /by_yaml_id': ({ parent }) => at(`/flow/tasks/by_yaml_id?attempt_id=${parent}&yaml_id=a`),
  'flow-cache GET /by_key': ({ parent }) =>
    at(`/flow/cache_entries/by_key?project_id=${parent}&batch=train&task_id=a&key=k`),
  'flow-cache POST ': ({ parent }) => at('/flow/cache_entries', entry(parent)),
  'flow-cache DELETE ': ({ parent }) => at(`/flow/cache_entries?project_id=${parent}`),
  'flow-config-files POST ': ({ parent }) => at('/flow/config_files', file(parent)),
  'flow-bake-images GET ': ({ id, parent }) => seen(`/flow/bake_images?bake_id=${parent}`, id),
  'flow-bake-images POST ': ({ parent }) => at('/flow/bake_images', { ...image(parent), ref: 'image:b' }),
  'flow-bake-images GET /by_ref': ({ parent }) => at(`/flow/bake_images/by_ref?bake_id=${parent}&ref=image:a`),
};

/** What requests are about where it is not an object of the resource. */
const OF: Readonly<Record<string, string>> = {
  'users POST /:user/permissions': 'jobs',
  'users DELETE /:user/permissions': 'jobs',
  'flow-attempts POST ': 'flow-config-files',
};

/** Bodies of requests that only name an object. */
const BODY = { additional_max_run_time_minutes: 1, public: false, key: 'key' };
const NAMES: Readonly<Record<string, string>> = {
  cluster: 'default',
  org: 'acme',
  project: 'one',
  user: 'alice',
  preset: 'cpu-small',
};

export interface EachEndpoint {
  readonly resource: string;
  readonly method: string;
  readonly endpoint: string;
  readonly needs: string;
  /** What it is about, by the name of its maker; undefined: the project alone. */
  readonly of: string | undefined;
  readonly ask: (made: Made) => Asked;
}

/** Each line of the table, with its request. */
export const EACH_ENDPOINT: readonly EachEndpoint[] = Object.entries(RULES).flatMap(([resource, lines]) =>
  lines.map(([endpoint, , , needs]): EachEndpoint => {
    const [method = '', url = ''] = endpoint.split(' ');
    const { prefix } = RESOURCES[resource as keyof typeof RESOURCES];
    const generic = ({ id }: Made): Asked => {
      const path = (prefix + url)
        .replace(/\/:port\?$/, '/80')
        .replace(/:(\w+)/g, (_all, name) => NAMES[name] ?? encodeURIComponent(id));
      return { path, ...(['GET', 'WS', 'DELETE'].includes(method) ? { marker: id } : { body: BODY }) };
    };
    const objects = url.startsWith('/persistent_credentials') && method !== 'POST' ? 'credentials' : resource;
    const of = OF[`${resource} ${endpoint}`] ?? objects;
    return { resource, method, endpoint, needs, of, ask: ASKED[`${resource} ${endpoint}`] ?? generic };
  }),
);

async function handshake(url: string, headers: Readonly<Record<string, string>>): Promise<number> {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers });
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      resolve(101);
      socket.terminate();
    });
    socket.on('unexpected-response', (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    socket.on('error', reject);
  });
}

export interface EndpointAnswer {
  readonly status: number;
  readonly text: string;
  readonly code: string | undefined;
}

/** What a listener answers; a WebSocket that is opened is a 101. @param user undefined: nobody */
export async function answerOf(
  { url, token }: { readonly url: () => string; readonly token: (user: string) => Promise<string> },
  user: string | undefined,
  { method }: Pick<EachEndpoint, 'method'>,
  { path, body }: Asked,
): Promise<EndpointAnswer> {
  const whole = url() + (path.startsWith('/api') ? path : `/api/v1${path}`);
  const headers = {
    ...(user === undefined ? {} : { authorization: `Bearer ${await token(user)}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  if (method === 'WS') return { status: await handshake(whole, headers), text: '', code: undefined };
  const response = await fetch(whole, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, text, code: /"code":"(\w+)"/.exec(text)?.[1] };
}
