import { Gauge, type Registry } from 'prom-client';
import type { AgentHub } from './hub.ts';

/** Who is connected to this control API. */
export function agentMetrics(registry: Registry, hub: Pick<AgentHub, 'sessions'>): { collector(by: 1 | -1): void } {
  const registers = [registry];
  new Gauge({
    name: 'delos_api_agents',
    help: 'Agents that are connected to this replica',
    registers,
    collect() {
      this.set(hub.sessions.length);
    },
  });
  const collectors = new Gauge({
    name: 'delos_api_collectors',
    help: 'Log collectors that are connected to this replica',
    registers,
  });
  return { collector: (by) => collectors.inc(by) };
}
