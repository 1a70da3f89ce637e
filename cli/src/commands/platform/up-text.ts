import { DEFAULT_INSTANCE } from '@delos/core';
import type { Changes } from '@delos/stacks';
import type { Phase } from '../../phases.ts';
import type { FirstJob } from './first-job.ts';

/** What `up --json` prints. Scripts lean on it. */
export interface UpDocument {
  readonly apiUrl: string;
  readonly adminUser: string;
  readonly kubeconfig: string;
  readonly phases: readonly Phase[];
  readonly changes: Changes;
  /** Null where what it needs is left out. */
  readonly firstJob: FirstJob | null;
  /** Services that jobs need and that the configuration leaves out. */
  readonly leftOutForJobs: readonly string[];
  /** Name of this cluster in the platform that it has joined; null where it has one of its own. */
  readonly joined: string | null;
  /** Folder with the wheels of a bundle; null where none was brought. */
  readonly wheels: string | null;
}

/** The end of `up` for a person: what the job printed, where the platform is, and what to type next. */
export function upText(document: UpDocument, instance: string): string {
  const { apiUrl, adminUser, changes, firstJob, joined, phases } = document;
  const delos = instance === DEFAULT_INSTANCE ? './delos' : `./delos --instance ${instance}`;
  const changed = (['create', 'update', 'replace', 'delete'] as const)
    .filter((kind) => changes[kind] > 0)
    .map((kind) => `${changes[kind]} to ${kind}`);
  const total = phases.reduce((sum, { seconds }) => sum + seconds, 0);
  const platform = apiUrl.replace(/\/api\/v1$/, '/');
  const done = [
    `Changes   ${changed.length === 0 ? `none: ${changes.same} objects are as they should be` : changed.join(', ')}`,
    `Time      ${total.toFixed(1)} s: ${phases.map(({ name, seconds }) => `${name} ${seconds.toFixed(1)}`).join(', ')}`,
  ];
  if (joined !== null) {
    return [
      `This cluster is ${joined} of the platform ${platform}`,
      ...done,
      '',
      'Go on, as a user of the platform:',
      `    apolo config switch-cluster ${joined}`,
      '    apolo run ghcr.io/neuro-inc/base -- echo Hello',
      `    ${delos} leave    # here: ends its jobs, and takes all away again`,
    ].join('\n');
  }
  const job =
    firstJob === null
      ? [`No first job was sent: delos.yaml leaves out ${document.leftOutForJobs.join(', ')}.`]
      : [
          `The first job, ${firstJob.id}, printed:`,
          '',
          ...firstJob.output
            .trimEnd()
            .split('\n')
            .map((line) => `    ${line}`),
        ];
  return [
    ...job,
    '',
    `Platform  ${platform}`,
    `API       ${apiUrl}`,
    ...done,
    '',
    'Go on:',
    `    pip install ${document.wheels === null ? '' : `--no-index --find-links ${document.wheels} `}apolo-cli`,
    `    apolo config login ${apiUrl}    # as ${adminUser}; the password: ${delos} status --show-passwords`,
    `    apolo config login-with-token "$(${delos} token --user ${adminUser})" ${apiUrl}    # without a browser`,
    '    apolo run ghcr.io/neuro-inc/base -- echo Hello',
    `    ${delos} kubectl get pods -A    # and: ${delos} status, ${delos} logs control-api, ${delos} down`,
  ].join('\n');
}
