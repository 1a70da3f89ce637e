import { PLATFORM_NAMESPACE, postgres, primaryOf } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import type { Kube } from '../../instance/kube.ts';
import { PodInput } from '../backup/pod-command.ts';

const PSQL = ['psql', '--host=/var/run/postgresql', '--username=postgres', '--no-password', '--quiet'] as const;
/** What is made here. Anything else would have to be quoted. */
const PLAIN = /^[A-Za-z0-9_-]+$/;

/** Gives roles of the platform's PostgreSQL other passwords, all at once. They go through stdin, which nobody else reads. */
export async function setRolePasswords(
  kube: Kube,
  passwords: Readonly<Record<string, string>>,
  { signal }: CommandContext,
): Promise<void> {
  const statements = Object.entries(passwords).map(([role, password]) => {
    if (!PLAIN.test(role) || !PLAIN.test(password)) {
      throw new DelosError('ERR_INTERNAL', `the password of the role ${role} is not one that is made here`);
    }
    return `alter role "${role}" password '${password}';`;
  });
  const place = { namespace: PLATFORM_NAMESPACE, pod: await primary(kube), container: 'postgres' };
  const input = new PodInput(kube, place, [...PSQL, '--set=ON_ERROR_STOP=1', '--single-transaction'], signal);
  await input.write(Buffer.from(`${statements.join('\n')}\n`));
  await input.end();
}

/** The Pod that writes: where there are several members, that which has said so last. */
async function primary(kube: Kube): Promise<string> {
  const asked = ['get', 'endpoints', primaryOf(postgres.name), '--namespace', PLATFORM_NAMESPACE, '--ignore-not-found'];
  const leader = (await kube.text([...asked, '--output', 'jsonpath={.metadata.annotations.leader}'])).trim();
  return leader === '' ? `${postgres.name}-0` : leader;
}
