import { PLATFORM_NAMESPACE, SERVICES, servicesOf, victoriaLogs } from '@delos/constructs';
import { DelosError, type FoundLine, foundLines, type LogQuestion, logsQl } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { readSettings } from '../../instance/settings.ts';

/** Lines of platform and jobs that have a text, also of Pods that are gone. The oldest first. */
export async function searchLogs(context: CommandContext, search: LogQuestion): Promise<void> {
  const query = logsQl(search);
  const { config } = await readSettings(context, undefined);
  if (!servicesOf(config, SERVICES).some(({ name }) => name === victoriaLogs.name)) {
    throw new DelosError('ERR_NOT_FOUND', 'this platform has nothing to search logs in', {
      hint: 'set `services: {victoriaLogs: {enabled: true}}` in delos.yaml, then `delos up`. It has lines of what then runs',
    });
  }
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const path = `/api/v1/namespaces/${PLATFORM_NAMESPACE}/services/${victoriaLogs.name}:http/proxy/select/logsql/query`;
  const answer = await kube.text(['get', '--raw', `${path}?query=${encodeURIComponent(query)}`]);
  const lines = foundLines(answer);
  context.result({ query, lines }, lines.map(shown).join('\n'));
}

const shown = ({ _time: time, _msg: text, service, job, pod, node }: FoundLine): string =>
  `${time} ${job ?? service ?? pod} ${node}: ${text}`;
