import { Gauge, type Registry } from 'prom-client';
import type { AgentHub } from './hub.ts';

/** Who is connected to this control API. @param own name of the platform's own cluster */
export function agentMetrics(
  registry: Registry,
  hub: Pick<AgentHub, 'sessions'>,
  own: string,
): { collector(by: 1 | -1): void } {
  const registers = [registry];
  new Gauge({
    name: 'delos_api_agents',
    help: 'Agents of the platform’s own cluster that are connected to this replica',
    registers,
    collect() {
      // Others would hide that it is not there.
      this.set(hub.sessions.filter(({ cluster }) => cluster === own).length);
    },
  });
  const collectors = new Gauge({
    name: 'delos_api_collectors',
    help: 'Log collectors that are connected to this replica',
    registers,
  });
  return { collector: (by) => collectors.inc(by) };
}
