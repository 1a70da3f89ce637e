import { Gauge, type Registry } from 'prom-client';
import type { Uplink } from './uplink.ts';

/** Whether a service has its connection to the control API. */
export function connectionGauge(registry: Registry, uplink: Pick<Uplink, 'connected'>): void {
  new Gauge({
    name: 'delos_uplink_connected',
    help: 'Whether this service is connected to the control API',
    registers: [registry],
    collect() {
      this.set(uplink.connected ? 1 : 0);
    },
  });
}
