import type { Assignment } from '../../../../cluster/src/netpol/addresses.ts';
import type { PodFacts } from '../../../../cluster/src/netpol/facts.ts';

/** A Pod whose uid is its name, where the facts say no other. */
export const pod = (name: string, facts: Partial<PodFacts> = {}): PodFacts => ({
  namespace: 'red',
  name,
  uid: name,
  labels: {},
  ip: undefined,
  hostNetwork: false,
  finished: false,
  created: '2026-01-01T00:00:00Z',
  ports: [],
  graceSeconds: 30,
  ...facts,
});
/** The gate has given a Pod of that uid and name this address. */
export const assignment = (uid: string, ip: string, order = 1, container = `${uid}-${order}`): Assignment => ({
  container,
  namespace: 'red',
  name: uid,
  uid,
  ip,
  order,
});
