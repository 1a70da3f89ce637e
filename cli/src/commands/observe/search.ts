import { SERVICES, servicesOf, victoriaLogs } from '@delos/constructs';
import { DelosError, type FoundLine, foundLines, type LogQuestion, logsQl } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';
import { readSettings } from '../../instance/settings.ts';
import { openForward } from '../platform/gateway-forward.ts';

/** As VictoriaLogs' Service says it. */
const STORE_PORT = 9428;
const TIMEOUT_MS = 60_000;

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
  // Its NetworkPolicy lets no API server in; a forwarded port begins within the Pod.
  const forward = await openForward(kube, `service/${victoriaLogs.name}`, STORE_PORT, context.signal);
  const answer = await ask(forward.port, query, context.signal).finally(() => forward.end());
  const lines = foundLines(answer);
  context.result({ query, lines }, lines.map(shown).join('\n'));
}

async function ask(port: number, query: string, signal: AbortSignal): Promise<string> {
  const failed = (cause: unknown): DelosError =>
    new DelosError('ERR_TIMEOUT', 'VictoriaLogs does not answer', {
      hint: 'ask for less time with --since; if it stays: delos status, delos logs victoria-logs',
      cause,
    });
  try {
    const response = await fetch(`http://127.0.0.1:${port}/select/logsql/query`, {
      method: 'POST',
      body: new URLSearchParams({ query }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`it answered ${response.status}: ${text.slice(0, 200)}`);
    return text;
  } catch (error) {
    throw failed(error);
  }
}

const shown = ({ _time: time, _msg: text, service, job, pod, node }: FoundLine): string =>
  `${time} ${job ?? service ?? pod} ${node}: ${text}`;
