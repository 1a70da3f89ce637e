/*
 * The one table of who may do what: a line for each endpoint and each WebSocket of the public listener. An endpoint without a
 * line is not served (guard.ts). docs/guides/rights.md shows the table, and test/integration/service/api-rights.test.ts tries
 * each line as each kind of person.
 */

/** Who may call an endpoint: a short name, and the same in words. */
export const NEEDS = {
  anyone: 'anyone, without a token',
  credential: 'whoever shows a credential that the endpoint itself knows',
  user: 'any user of the platform',
  self: 'the user whom the path names; the owner of that service account',
  owner: 'whose own it is',
  visible: 'any user; the answer has what they may read, and nothing else',
  member: 'who has a role in the organization, or in a project of it',
  read: 'who may read in the project',
  write: 'who may write in the project',
  manage: 'managers and admins of the project, and those of its organization',
  share: 'who manages the project, or owns what is shared; a grant to manage it; whoever was given it may give it back',
  people: 'managers and admins of the organization',
  organization: 'admins of the organization',
  platform: 'the administrator of the platform',
} as const;
export type Needs = keyof typeof NEEDS;

/** What is looked at or changed. */
export type Kind =
  | 'bake'
  | 'blob'
  | 'credential'
  | 'disk'
  | 'flow'
  | 'image'
  | 'job'
  | 'login'
  | 'log'
  | 'metric'
  | 'organization'
  | 'platform'
  | 'project'
  | 'secret'
  | 'storage'
  | 'user';

export interface Rule {
  /** Method and path, as the listener knows them; `WS` for a WebSocket. */
  readonly endpoint: string;
  readonly act: string;
  readonly kind: Kind;
  readonly needs: Needs;
}

/** Method and URL after the resource's prefix, act, kind, and what it needs. */
type Line = readonly [string, string, Kind, Needs];

/** Lines by resource. */
export type Rules = Readonly<Record<string, readonly Line[]>>;

export const RULES: Rules = {
  config: [['GET ', 'config.get', 'platform', 'credential']],
  headless: [['GET ', 'login.headless', 'login', 'anyone']],
  login: [['POST /login-actions/authenticate', 'login.attempt', 'login', 'anyone']],
  jobs: [
    ['GET /capacity', 'capacity.get', 'platform', 'user'],
    ['POST ', 'job.run', 'job', 'write'],
    ['GET ', 'job.list', 'job', 'visible'],
    ['GET /:id', 'job.get', 'job', 'read'],
    ['DELETE /:id', 'job.kill', 'job', 'write'],
    ['POST /:id/kill', 'job.kill', 'job', 'write'],
    ['PUT /:id/max_run_time_minutes', 'job.extend', 'job', 'write'],
    ['POST /:id/save', 'job.save', 'job', 'write'],
    ['WS /:id/log_ws', 'job.logs', 'job', 'read'],
    ['WS /:id/top', 'job.top', 'job', 'read'],
    ['WS /:id/attach', 'job.attach', 'job', 'write'],
    ['WS /:id/exec', 'job.exec', 'job', 'write'],
    ['WS /:id/port_forward/:port?', 'job.port-forward', 'job', 'write'],
  ],
  // The gateway has no way there: the router of jobs asks.
  'job-hosts': [
    ['GET /changes', 'job-host.watch', 'job', 'anyone'],
    ['GET /:label', 'job-host.get', 'job', 'anyone'],
    ['GET /:job/right', 'job.visit', 'job', 'credential'],
  ],
  disks: [
    ['POST ', 'disk.create', 'disk', 'write'],
    ['GET ', 'disk.list', 'disk', 'visible'],
    ['GET /:id', 'disk.get', 'disk', 'read'],
    ['DELETE /:id', 'disk.remove', 'disk', 'write'],
  ],
  buckets: [
    ['POST /buckets', 'bucket.create', 'blob', 'write'],
    ['POST /buckets/import/external', 'bucket.import', 'blob', 'write'],
    ['GET /buckets', 'bucket.list', 'blob', 'visible'],
    ['GET /buckets/find/by_path', 'bucket.get', 'blob', 'read'],
    ['GET /buckets/:id', 'bucket.get', 'blob', 'read'],
    ['PATCH /buckets/:id', 'bucket.publish', 'blob', 'write'],
    ['DELETE /buckets/:id', 'bucket.remove', 'blob', 'write'],
    ['POST /buckets/:id/make_tmp_credentials', 'bucket.use', 'blob', 'read'],
    ['POST /buckets/:id/sign_blob_url', 'bucket.sign', 'blob', 'read'],
    ['POST /persistent_credentials', 'bucket-credential.create', 'credential', 'read'],
    ['GET /persistent_credentials', 'bucket-credential.list', 'credential', 'owner'],
    ['GET /persistent_credentials/:id', 'bucket-credential.get', 'credential', 'owner'],
    ['DELETE /persistent_credentials/:id', 'bucket-credential.remove', 'credential', 'owner'],
  ],
  secrets: [
    ['POST ', 'secret.set', 'secret', 'write'],
    ['GET ', 'secret.list', 'secret', 'visible'],
    ['GET /:key', 'secret.get', 'secret', 'read'],
    ['DELETE /:key', 'secret.remove', 'secret', 'write'],
  ],
  users: [
    ['GET /:user/permissions', 'permission.list', 'user', 'self'],
    ['GET /:user/permissions/shared', 'permission.list', 'user', 'self'],
    ['GET /:user/subroles', 'role.list', 'user', 'self'],
    ['POST /:user/permissions', 'permission.give', 'user', 'share'],
    ['POST /:user/permissions/check', 'permission.check', 'user', 'self'],
    ['DELETE /:user/permissions', 'permission.take', 'user', 'share'],
    ['POST ', 'user.add', 'user', 'user'],
    ['DELETE /:user', 'user.remove', 'user', 'user'],
  ],
  admin: [
    ['GET /clusters', 'cluster.list', 'platform', 'user'],
    ['GET /orgs', 'organization.list', 'organization', 'visible'],
    ['GET /orgs/:org/users', 'member.list', 'organization', 'member'],
    ['GET /orgs/:org/users/:user', 'member.get', 'organization', 'member'],
    ['GET /clusters/:cluster/orgs', 'organization.list', 'organization', 'visible'],
    ['GET /clusters/:cluster/orgs/:org', 'organization.get', 'organization', 'member'],
    ['GET /clusters/:cluster/users', 'member.list', 'organization', 'visible'],
    ['GET /clusters/:cluster/users/:user', 'member.get', 'organization', 'visible'],
    ['GET /clusters/:cluster/projects', 'project.list', 'organization', 'visible'],
    ['GET /clusters/:cluster/projects/:project/users', 'member.list', 'organization', 'visible'],
    ['GET /clusters/:cluster/orgs/:org/users', 'member.list', 'organization', 'member'],
    ['GET /clusters/:cluster/orgs/:org/users/:user', 'member.get', 'organization', 'member'],
    ['GET /clusters/:cluster/orgs/:org/projects', 'project.list', 'organization', 'member'],
    ['GET /clusters/:cluster/orgs/:org/projects/:project/users', 'member.list', 'organization', 'member'],
    ['GET /orgs/:org', 'organization.get', 'organization', 'member'],
    ['POST /orgs', 'organization.add', 'organization', 'platform'],
    ['DELETE /orgs/:org', 'organization.remove', 'organization', 'platform'],
    ['POST /orgs/:org/users', 'organization-member.add', 'organization', 'people'],
    ['DELETE /orgs/:org/users/:user', 'organization-member.remove', 'organization', 'people'],
    ['POST /clusters/:cluster/orgs', 'organization.change', 'organization', 'platform'],
    ['PUT /clusters/:cluster/orgs/:org', 'organization.change', 'organization', 'platform'],
    ['PATCH /clusters/:cluster/orgs/:org/quota', 'organization.change', 'organization', 'platform'],
    ['PATCH /clusters/:cluster/orgs/:org/defaults', 'organization.change', 'organization', 'organization'],
    ['POST /clusters/:cluster/users', 'organization-member.add', 'organization', 'people'],
    ['PUT /clusters/:cluster/orgs/:org/users/:user', 'organization-member.change', 'organization', 'people'],
    ['PATCH /clusters/:cluster/orgs/:org/users/:user/quota', 'organization-member.change', 'organization', 'people'],
    ['DELETE /clusters/:cluster/orgs/:org/users/:user', 'organization-member.remove', 'organization', 'people'],
    ['POST /clusters/:cluster/orgs/:org/projects', 'project.add', 'organization', 'people'],
    ['PUT /clusters/:cluster/orgs/:org/projects/:project', 'project.change', 'project', 'manage'],
    ['DELETE /clusters/:cluster/orgs/:org/projects/:project', 'project.remove', 'project', 'people'],
    ['POST /clusters/:cluster/orgs/:org/projects/:project/users', 'member.add', 'project', 'manage'],
    ['PUT /clusters/:cluster/orgs/:org/projects/:project/users/:user', 'member.change', 'project', 'manage'],
    ['DELETE /clusters/:cluster/orgs/:org/projects/:project/users/:user', 'member.remove', 'project', 'manage'],
    ['PATCH /orgs/:org/balance', 'credits.add', 'organization', 'platform'],
    // What is refused to everybody, with the sentence why.
    ['POST /*', 'admin.change', 'organization', 'user'],
    ['PUT /*', 'admin.change', 'organization', 'user'],
    ['PATCH /*', 'admin.change', 'organization', 'user'],
    ['DELETE /*', 'admin.change', 'organization', 'user'],
  ],
  credits: [
    ['GET ', 'credits.get', 'organization', 'visible'],
    ['GET /:org/statement', 'credits.get', 'organization', 'member'],
    ['POST /:org', 'credits.add', 'organization', 'platform'],
  ],
  audit: [
    ['GET ', 'audit.list', 'platform', 'platform'],
    ['GET /keys', 'audit.keys', 'platform', 'platform'],
  ],
  clusters: [
    ['GET ', 'cluster.list', 'platform', 'user'],
    ['GET /:cluster', 'cluster.get', 'platform', 'user'],
    ['POST /:cluster/orchestrator/resource_presets', 'preset.add', 'platform', 'platform'],
    ['PUT /:cluster/orchestrator/resource_presets/:preset', 'preset.change', 'platform', 'platform'],
    ['DELETE /:cluster/orchestrator/resource_presets/:preset', 'preset.remove', 'platform', 'platform'],
  ],
  metrics: [['GET ', 'metric.rights', 'metric', 'credential']],
  'log-search': [['GET ', 'log.search', 'log', 'visible']],
  registry: [['GET /_catalog', 'image.list', 'image', 'credential']],
  'service-accounts': [
    ['GET ', 'service-account.list', 'user', 'owner'],
    ['POST ', 'service-account.create', 'user', 'user'],
    ['GET /:account', 'service-account.get', 'user', 'owner'],
    ['DELETE /:account', 'service-account.remove', 'user', 'owner'],
  ],
  'registry-tokens': [
    ['GET /token', 'image.token', 'image', 'credential'],
    ['GET /authorize', 'image.authorize', 'image', 'credential'],
  ],
  storage: [['GET /rights', 'storage.rights', 'storage', 'visible']],
  'flow-projects': [
    ['GET ', 'flow.list', 'flow', 'visible'],
    ['POST ', 'flow.create', 'flow', 'write'],
    ['GET /by_name', 'flow.get', 'flow', 'read'],
    ['GET /:id', 'flow.get', 'flow', 'read'],
    ['DELETE /:id', 'flow.remove', 'flow', 'write'],
  ],
  'flow-live-jobs': [
    ['GET ', 'flow-live-job.list', 'flow', 'visible'],
    ['POST ', 'flow-live-job.create', 'flow', 'write'],
    ['PUT /replace', 'flow-live-job.replace', 'flow', 'write'],
    ['GET /by_yaml_id', 'flow-live-job.get', 'flow', 'read'],
    ['GET /:id', 'flow-live-job.get', 'flow', 'read'],
  ],
  'flow-bakes': [
    ['GET ', 'flow-bake.list', 'bake', 'visible'],
    ['POST ', 'flow-bake.create', 'bake', 'write'],
    ['GET /by_name', 'flow-bake.get', 'bake', 'read'],
    ['GET /:id', 'flow-bake.get', 'bake', 'read'],
    ['GET /recent', 'flow-bake.list', 'bake', 'visible'],
    ['POST /submit', 'flow-bake.submit', 'bake', 'write'],
    ['POST /:id/restart', 'flow-bake.restart', 'bake', 'write'],
    ['POST /:id/cancel', 'flow-bake.cancel', 'bake', 'write'],
    ['GET /:id/report', 'flow-bake.report', 'bake', 'read'],
    ['GET /:id/picture', 'flow-bake.picture', 'bake', 'read'],
    ['GET /:id/diff', 'flow-bake.compare', 'bake', 'read'],
  ],
  'flow-attempts': [
    ['GET ', 'flow-attempt.list', 'bake', 'visible'],
    ['POST ', 'flow-attempt.create', 'bake', 'write'],
    ['PUT /replace', 'flow-attempt.change', 'bake', 'write'],
    ['GET /by_number', 'flow-attempt.get', 'bake', 'read'],
    ['GET /:id', 'flow-attempt.get', 'bake', 'read'],
  ],
  'flow-tasks': [
    ['GET ', 'flow-task.list', 'bake', 'visible'],
    ['POST ', 'flow-task.create', 'bake', 'write'],
    ['PUT /replace', 'flow-task.change', 'bake', 'write'],
    ['GET /by_yaml_id', 'flow-task.get', 'bake', 'read'],
    ['GET /:id', 'flow-task.get', 'bake', 'read'],
  ],
  'flow-cache': [
    ['GET /by_key', 'flow-cache.get', 'flow', 'read'],
    ['POST ', 'flow-cache.set', 'flow', 'write'],
    ['DELETE ', 'flow-cache.clear', 'flow', 'write'],
    ['GET /:id', 'flow-cache.get', 'flow', 'read'],
  ],
  'flow-config-files': [
    ['POST ', 'flow-config-file.create', 'bake', 'write'],
    ['GET /:id', 'flow-config-file.get', 'bake', 'read'],
  ],
  'flow-bake-images': [
    ['GET ', 'flow-bake-image.list', 'bake', 'visible'],
    ['POST ', 'flow-bake-image.create', 'bake', 'write'],
    ['GET /by_ref', 'flow-bake-image.get', 'bake', 'read'],
    ['GET /:id', 'flow-bake-image.get', 'bake', 'read'],
    ['PATCH /:id', 'flow-bake-image.change', 'bake', 'write'],
  ],
  'flow-schedules': [
    ['GET ', 'flow-schedule.list', 'flow', 'visible'],
    ['POST ', 'flow-schedule.create', 'flow', 'write'],
    ['GET /:id', 'flow-schedule.get', 'flow', 'read'],
    ['DELETE /:id', 'flow-schedule.remove', 'flow', 'write'],
    ['POST /:id/run', 'flow-schedule.run', 'bake', 'write'],
  ],
  // Whoever has the secret of a schedule signs it.
  'flow-triggers': [['POST /:id', 'flow-trigger.call', 'bake', 'credential']],
};

/**
 * The line of an endpoint.
 * @param url after the prefix of the resource
 * @throws Error where it has none: it is not served then
 */
export function ruleFor(rules: Rules, resource: string, method: string, url: string): Rule {
  const line = rules[resource]?.find(([at]) => at === `${method} ${url}`);
  if (line === undefined) {
    throw new Error(
      `"${method} ${url}" of resource ${resource} has no line in api/authorization/rules.ts, so it is not served`,
    );
  }
  const [endpoint, act, kind, needs] = line;
  return { endpoint, act, kind, needs };
}
