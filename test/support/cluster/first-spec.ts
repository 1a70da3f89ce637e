/** `spec.json` of a first node, as an `up` of a release without further nodes wrote it. */
export const firstSpec = (state: string) => ({
  instance: 'mine',
  state,
  number: 3,
  tools: {
    node: '/n',
    kube: '/k',
    registry: '/r',
    containerd: '/c',
    cniPlugins: '/p',
    cniGate: '/g',
    policyAgent: '/a.ts',
  },
  store: '/store',
  images: { pause: 'p:1', coredns: 'c:1', localPathProvisioner: 'l:1', metricsServer: 'm:1' },
  resolvers: ['192.0.2.53'],
  mtu: 1400,
  proxy: {},
  labels: {},
  fakeResources: {},
  cgroupVersion: 1,
  restrictOomScore: true,
});
