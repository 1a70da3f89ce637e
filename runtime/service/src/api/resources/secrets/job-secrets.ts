import { DelosError, isRegistrySecret, type JobSecret, MAX_ARGUMENT_BYTES } from '@delos/core';
import { z } from 'zod';
import type { Tx } from '../../../db/schema.ts';
import type { SecretRow } from '../../../db/secrets/tables.ts';
import { isGranted, uriOf } from '../../authorization/grants.ts';
import type { Caller } from '../../deps.ts';
import type { OwnedProject } from '../../project-for.ts';
import { mayDo } from '../../rights.ts';

/** Secrets of one job. */
const MOST = 32;
/** Bytes of their values together: all of them go to the cluster in one message. */
const MOST_BYTES = 4 * 2 ** 20;

const uri = z.string().max(1024);
const place = z
  .string()
  .max(1024)
  .regex(/^\/[^:]*[^/:]$/, 'expected the absolute path of a file in the container, without a colon')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ..')
  .transform((path) => path.replace(/\/+/g, '/'))
  .refine((path) => !/^\/(proc|sys|dev)(\/|$)/.test(path), 'the kernel’s own folders cannot hold a secret');

/** `secret_env` of a request for a job: variable → secret. @param name the rule for names of variables */
export const secretEnv = (name: z.ZodString) => z.record(name, uri);

/** `secret_volumes` of a request for a job. */
export const secretVolumes = z
  .array(z.object({ src_secret_uri: uri, dst_path: place }))
  .superRefine((files, context) => {
    const seen = new Set<string>();
    for (const [index, { dst_path: path }] of files.entries()) {
      if (seen.has(path)) {
        context.addIssue({ code: 'custom', path: [index, 'dst_path'], message: `${path} is another secret’s file` });
      }
      seen.add(path);
    }
  });

/** What a new job asks of secrets. */
export interface JobSecretsRequest {
  readonly env: Readonly<Record<string, string>>;
  readonly volumes: z.infer<typeof secretVolumes>;
  readonly cluster: string;
  readonly caller: Caller;
  /** The job's. */
  readonly project: OwnedProject;
  /** Of the request, before `secret_env`: '' or `container.`. */
  readonly prefix: string;
}

interface Use {
  readonly key: string;
  readonly project: string;
  readonly org: string;
  readonly field: string;
  readonly env?: string;
  readonly file?: string;
}

/**
 * The secrets of a new job. Who could run a job in a project, and so read its secrets, may use them elsewhere too.
 * @throws DelosError ERR_REQUEST naming the entry: no such secret, or one that cannot be a variable
 */
export async function jobSecrets(tx: Tx, request: JobSecretsRequest): Promise<readonly JobSecret[]> {
  const { env, volumes, prefix } = request;
  const uses: readonly Use[] = [
    ...Object.entries(env).map(([name, from]) => {
      const field = `${prefix}secret_env.${name}`;
      return { ...parseUri(from, field, request), field, env: name };
    }),
    ...volumes.map(({ src_secret_uri: from, dst_path: file }, index) => {
      const field = `${prefix}secret_volumes.${index}.src_secret_uri`;
      return { ...parseUri(from, field, request), field, file };
    }),
  ];
  const bySecret = [...Map.groupBy(uses, ({ org, project, key }) => `${org}/${project}/${key}`).values()];
  let bytes = 0;
  const found: JobSecret[] = [];
  for (const group of bySecret) {
    const [first] = group;
    if (first === undefined) continue;
    const row = await rowOf(tx, first, request);
    bytes += row.bytes;
    const { org, project, key } = first;
    const variables = group.flatMap((use) => (use.env === undefined ? [] : [use]));
    checkVariable(row, variables[0]);
    found.push({
      org,
      project,
      key,
      env: variables.flatMap(({ env: name }) => name ?? []),
      files: group.flatMap(({ file }) => file ?? []),
    });
  }
  const [first] = uses;
  if (found.length > MOST) throw refusal(`a job has at most ${MOST} secrets`, first?.field ?? '', 'put some into one');
  if (bytes > MOST_BYTES) {
    throw refusal(
      `the secrets of one job are at most ${MOST_BYTES / 2 ** 20} MiB together`,
      first?.field ?? '',
      'fetch large ones from within the job',
    );
  }
  return found;
}

type FoundRow = Pick<SecretRow, 'bytes' | 'is_text'>;

async function rowOf(tx: Tx, use: Use, { cluster, caller, project: own }: JobSecretsRequest): Promise<FoundRow> {
  const { org, project, key, field } = use;
  if (isRegistrySecret(key)) {
    throw refusal(
      `secret ${JSON.stringify(key)} is for pulling images, and no job has it`,
      field,
      'nodes use it by themselves',
    );
  }
  const row = await tx
    .selectFrom('secrets')
    .select(['bytes', 'is_text'])
    .where('cluster', '=', cluster)
    .where('org', '=', org)
    .where('project', '=', project)
    .where('name', '=', key)
    .executeTakeFirst();
  const may = mayDo(caller, { org, project }, 'write');
  // Who shares a secret shares what is in it.
  if (row !== undefined && (may || isGranted(caller, [uriOf('secret', cluster, use, key)], 'read'))) return row;
  const where = org === own.org && project === own.name ? 'this project' : `project ${org}/${project}`;
  throw refusal(
    `there is no secret ${JSON.stringify(key)} in ${where}`,
    field,
    'apolo secret ls lists those that there are; apolo secret add KEY VALUE makes one',
  );
}

function checkVariable({ is_text: isText, bytes }: FoundRow, use: Use | undefined): void {
  if (use?.env === undefined) return;
  const called = `secret ${JSON.stringify(use.key)}`;
  const hint = `let the job have it as a file: -v secret:${use.key}:/path/of/the/file`;
  if (!isText)
    throw refusal(`${called} holds bytes that are no text, and a variable holds text alone`, use.field, hint);
  if (bytes + use.env.length >= MAX_ARGUMENT_BYTES) {
    throw refusal(`${called} is larger than a variable can be (${MAX_ARGUMENT_BYTES} bytes)`, use.field, hint);
  }
}

/** `secret://CLUSTER[/ORG]/PROJECT/KEY`. @throws DelosError ERR_REQUEST */
function parseUri(
  text: string,
  field: string,
  { cluster, project: own }: JobSecretsRequest,
): Pick<Use, 'org' | 'project' | 'key'> {
  const [, host = '', path = ''] = /^secret:\/\/([^/?#]+)\/([^?#]+)$/.exec(text) ?? [];
  const parts = path.split('/');
  const [key = '', project = ''] = parts.toReversed();
  if (parts.length < 2 || parts.length > 3 || parts.includes('')) {
    throw refusal('expected secret://CLUSTER/ORG/PROJECT/KEY', field, 'secret:KEY is enough');
  }
  if (host !== cluster) {
    throw refusal(`the job runs in cluster ${cluster}, and this secret is in ${host}`, field, 'secret:KEY is enough');
  }
  return { org: (parts.length === 3 ? parts[0] : undefined) ?? own.org, project, key };
}

const refusal = (message: string, field: string, hint: string): DelosError =>
  new DelosError('ERR_REQUEST', message, { where: { field }, hint });
