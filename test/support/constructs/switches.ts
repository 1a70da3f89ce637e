import { engineContext, parseConfig, type Synthesis, synthesize } from '@delos/constructs';

/*
 * The switches of a delos.yaml, and combinations of them. Each setting of a switch is a part of the file; a combination has
 * one setting of each switch.
 */

const SWITCHES = {
  profile: ['small', 'medium', 'ha'],
  engine: ['embedded', 'kind', 'existing'],
  domain: ['localhost', 'ai.example.com'],
  http: ['auto', 'on', 'off'],
  userNamespaces: ['true', 'false'],
  secrets: ['secret', 'file', 'externalSecret'],
  postgres: ['ours', 'three', 'address', 'pods', 'tls'],
  keycloak: ['ours', 'external'],
  redis: ['ours', 'external', 'tls', 'off'],
  gateway: ['on', 'off'],
  scheduler: ['on', 'off', 'three'],
  agent: ['on', 'off', 'stopped'],
  collector: ['on', 'off'],
  devpi: ['on', 'off'],
  registry: ['on', 'off'],
  objectStorage: ['off', 'on', 'external', 'tls'],
  archive: ['off', 'on', 'sealed', 'elsewhere'],
  search: ['off', 'on', 'stores'],
  monitoring: ['on', 'off', 'told'],
  network: ['open', 'proxy', 'closed'],
  names: ['none', 'served', 'written'],
  storage: ['none', 'directory', 'nfs', 'csi', 'claim'],
  classes: ['none', 'local', 'replicated', 'clouds'],
} as const;

type Switch = keyof typeof SWITCHES;
/** Switch to setting. */
export type Combination = { readonly [Name in Switch]: (typeof SWITCHES)[Name][number] };

const NAMES = Object.keys(SWITCHES) as readonly Switch[];
const settingsOf = (name: Switch): readonly string[] => SWITCHES[name];

/** Changes settings that a platform refuses together, so that it takes them. */
function allowed(combination: Combination): Combination {
  const archived = ['ours', 'three'].includes(combination.postgres);
  return takenByHa({ ...combination, archive: archived ? combination.archive : 'off' });
}

function takenByHa(combination: Combination): Combination {
  if (combination.profile !== 'ha') return combination;
  const objectStorage = combination.objectStorage === 'on' ? 'external' : combination.objectStorage;
  return { ...combination, devpi: 'off', registry: 'off', objectStorage };
}

/** Somebody of each kind is told. */
const TOLD = [
  'notifications:',
  '  email: {server: "mail.example.com:465", from: a@example.com, to: [b@example.com], user: u, password: {secret: {name: mail, key: p}}, tls: tls}',
  '  webhooks: [{name: a, url: "http://hooks.example.com:8099/"}, {name: b, secretUrl: {secret: {name: hook, key: url}}}]',
  '  slack: [{name: a, channel: "#ops", url: {secret: {name: slack, key: url}}}]',
  '  pagerduty: [{name: a, routingKey: {secret: {name: duty, key: key}}}]',
];

const STORAGE: Readonly<Record<Combination['storage'], readonly string[]>> = {
  none: [],
  directory: ['storage: {directory: {path: /srv/delos, shared: true}}'],
  nfs: ['storage: {size: 1Ti, nfs: {server: 10.0.0.9, path: /exports/delos, mountOptions: [nfsvers=4.2, hard]}}'],
  csi: [
    'storage:',
    '  csi: {driver: smb.csi.k8s.io, volumeHandle: a, fsType: ext4, attributes: {source: //a/b}, stageSecret: {name: a, namespace: b}, publishSecret: {name: c, namespace: d}, mountOptions: [dir_mode=0770]}',
  ],
  claim: ['storage: {claim: {storageClass: cephfs}}'],
};

/** Some with all that they may have, some with nothing but what they must. */
const CLASSES: Readonly<Record<Combination['classes'], readonly string[]>> = {
  none: [],
  local: [
    'storageClasses:',
    '  localPath: [{name: folders}]',
    '  openebsLvm: [{name: lvm, volumeGroup: vg0, devices: [{node: n1, path: /dev/sdb}]}, {name: thin, volumeGroup: vg1, fileSystem: xfs, thin: true, keep: true}]',
    '  openebsZfs: [{name: zfs, pool: tank/delos}, {name: zvol, pool: tank, fileSystem: ext4, compression: lz4, thin: true}]',
    '  topolvm: [{name: topo}, {name: ssd, deviceClass: ssd, fileSystem: btrfs}]',
    'disks: {storageClass: topo}',
  ],
  replicated: [
    'storageClasses:',
    '  mayastor: [{name: nvme}, {name: one, replicas: 1, fileSystem: xfs, thin: true}]',
    '  longhorn: [{name: long}, {name: near, replicas: 2, dataLocality: best-effort, diskSelector: [ssd, fast], keep: true}]',
    'disks: {storageClass: long}',
  ],
  clouds: [
    'storageClasses:',
    '  awsEbs: [{name: ebs}, {name: quick, type: io2, iops: 9000, encrypted: false, kmsKeyId: "arn:aws:kms:a:1:key/b", fileSystem: xfs}]',
    '  gcpDisk: [{name: pd}, {name: both, type: pd-ssd, regional: true}]',
    '  azureDisk: [{name: disk}, {name: zrs, sku: Premium_ZRS, cachingMode: None}]',
    'disks: {storageClass: ebs}',
  ],
};

/** Their images and their devices are not here: the manifests alone are judged. */
const GPU_EXPORTERS = [
  'dcgmExporter: {enabled: true, runtimeClass: nvidia}',
  'amdGpuExporter: {enabled: true}',
  'intelGpuExporter: {enabled: true}',
];

/** Lines of logs also go to stores of one's own. */
const STORES = [
  'logs:',
  '  sinks:',
  '    - {kind: loki, url: "http://10.20.0.8:3100", user: delos, secret: {file: /run/secrets/loki}}',
  '    - {kind: elasticsearch, url: "https://search.example.com", index: logs, secret: {externalSecret: {store: vault, key: search}}}',
];

/** Its delos.yaml. */
export function yamlOf(combination: Combination): string {
  const { postgres, keycloak, redis, gateway, scheduler, agent, collector, devpi, registry, objectStorage } =
    combination;
  const reference = (name: string): string =>
    ({
      secret: `{secret: {name: ours-${name}, key: password}}`,
      file: `{file: /run/secrets/${name}}`,
      externalSecret: `{externalSecret: {store: vault, key: delos/${name}, property: password}}`,
    })[combination.secrets];
  const databases = `databases: {delos: {password: ${reference('delos')}}, keycloak: {user: kc, password: ${reference('keycloak')}}}`;
  const cacheUser = `users: {control-api: {user: delos, password: ${reference('cache')}}}`;
  const key = `accessKey: AKIA, secretKey: ${reference('bucket')}`;
  const bucket = `buckets: {reports: {bucket: ours, ${key}}, database-archive: {bucket: archive, ${key}}}`;
  const services = [
    {
      ours: 'postgres: {storage: 40Gi}',
      three: 'postgres: {replicas: 3, storage: 40Gi}',
      address: `postgres: {external: {host: db.example.com, port: 6432, addresses: [10.20.0.5, 10.30.0.0/24], ${databases}}}`,
      tls: `postgres: {external: {host: db.example.com, addresses: [10.20.0.5], tls: {authority: ${reference('root')}}, ${databases}}}`,
      pods: `postgres: {external: {host: pg.data.svc.cluster.local, pods: {namespace: data, labels: {app: pg}}, ${databases}}}`,
    }[postgres],
    keycloak === 'ours'
      ? 'keycloak: {resources: {memoryLimit: 2Gi}}'
      : `keycloak: {external: {url: 'https://sso.example.com/auth', addresses: [203.0.113.7], admin: ${reference('operator')}}}`,
    {
      ours: 'redis: {}',
      external: `redis: {external: {host: 10.20.0.6, ${cacheUser}}}`,
      tls: `redis: {external: {host: cache.example.com, addresses: [10.20.0.6], tls: {authority: ${reference('authority')}}, ${cacheUser}}}`,
      off: 'redis: {enabled: false}',
    }[redis],
    gateway === 'on' ? 'gateway: {}' : 'gateway: {enabled: false}',
    { on: 'scheduler: {}', off: 'scheduler: {enabled: false}', three: 'scheduler: {replicas: 3}' }[scheduler],
    { on: 'agent: {}', off: 'agent: {enabled: false}', stopped: 'agent: {replicas: 0}' }[agent],
    collector === 'on' ? 'collector: {}' : 'collector: {enabled: false}',
    devpi === 'on' ? 'devpi: {storage: 1Gi}' : 'devpi: {enabled: false}',
    combination.names === 'served' && combination.domain !== 'localhost' ? 'dns: {enabled: true}' : 'dns: {}',
    registry === 'on' ? 'registry: {enabled: true, storage: 1Gi}' : 'registry: {enabled: false}',
    registry === 'on' ? 'charts: {enabled: true, projectLimit: 1Gi}' : 'charts: {enabled: false}',
    {
      off: 'objectStorage: {}',
      on: 'objectStorage: {enabled: true, storage: 1Gi}',
      external: `objectStorage: {external: {endpoint: 'http://10.20.0.7:9000', ${bucket}}}`,
      tls: `objectStorage: {external: {endpoint: 'https://s3.example.com/a', region: eu-1, addresses: [10.20.0.7], authority: ${reference('s3')}, ${bucket}}}`,
    }[objectStorage],
    archiveOf(combination, reference),
    `victoriaLogs: {enabled: ${combination.search !== 'off'}}`,
    `kubeStateMetrics: {enabled: ${combination.monitoring !== 'on'}}`,
    ...(combination.monitoring === 'told' ? GPU_EXPORTERS : []),
  ];
  return [
    `profile: ${combination.profile}`,
    `domain: ${combination.domain}`,
    `cluster: {engine: ${combination.engine}, userNamespaces: ${combination.userNamespaces}}`,
    ...namesOf(combination, reference('tsig')),
    ...networkOf(combination, reference('proxy')),
    `monitoring: {enabled: ${combination.monitoring !== 'off'}}`,
    ...(combination.monitoring === 'told' ? TOLD : []),
    ...STORAGE[combination.storage],
    ...CLASSES[combination.classes],
    ...(combination.search === 'stores' ? STORES : []),
    'services:',
    ...services.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

/** A bucket of the platform's storage, or one elsewhere where there is none. */
function archiveOf({ archive, objectStorage }: Combination, reference: (name: string) => string): string {
  if (archive === 'off') return 'databaseArchive: {}';
  const store = `store: {endpoint: 'https://s3.example.org', bucket: ours, accessKey: AKIA, secretKey: ${reference('archive')}, authority: ${reference('s3')}, addresses: [10.20.0.8]}`;
  const parts = [
    'enabled: true',
    ...(archive === 'sealed' ? [`key: ${reference('age')}`] : []),
    ...(archive === 'elsewhere' || objectStorage === 'off' || objectStorage === 'tls' ? [store] : []),
  ];
  return `databaseArchive: {${parts.join(', ')}}`;
}

/** How its names come to lead to it. A platform without a name has none. */
function namesOf({ names, domain, http }: Combination, reference: string): readonly string[] {
  const plain = `gateway: {http: '${http}'}`;
  if (domain === 'localhost' || names === 'none') return [plain];
  if (names === 'served') return [plain, 'dns: {addresses: [192.0.2.1, "2001:db8::1"], externalDns: true}'];
  return [
    `gateway: {http: '${http}', tls: {acme: {acceptTerms: true}}}`,
    `dns: {update: {server: ns.example.com, zone: example.com, key: {name: delos, secret: ${reference}}}}`,
  ];
}

/** Where nodes of ours pull images by the proxy, its login can be in a file alone. */
function networkOf({ network, engine }: Combination, reference: string): readonly string[] {
  const login = engine === 'existing' ? reference : '{file: /run/secrets/proxy}';
  return {
    open: [],
    proxy: ['network: {proxy: {http: "http://proxy.example.com:3128"}}'],
    closed: [
      'network:',
      `  proxy: {https: "https://proxy.example.com", no: [.example.com], credentials: ${login}, addresses: [10.9.0.1]}`,
      '  authorities: [/etc/ssl/site.pem]',
      '  jobs: {proxy: true}',
    ],
  }[network];
}

/** Its platform, as `delos synth` makes it, on nodes with user namespaces. */
export function platformWith(combination: Combination): Synthesis {
  const config = parseConfig(yamlOf(combination), 'delos.yaml');
  return synthesize(config, { ...engineContext(config, combination.engine), userNamespaces: true });
}

/** What tells a combination from others. */
export const nameOf = (combination: Combination): string =>
  NAMES.map((name) => `${name}=${combination[name]}`).join(' ');

type Pair = string;

function* pairsOf(combination: Combination): Iterable<Pair> {
  for (const [index, a] of NAMES.entries()) {
    for (const b of NAMES.slice(index + 1)) yield `${a}=${combination[a]} ${b}=${combination[b]}`;
  }
}

/** A sequence of numbers in [0, 1) that is the same at every run (Park and Miller). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function drawn(next: () => number): Combination {
  const entries = NAMES.map((name) => [name, settingsOf(name)[Math.floor(next() * settingsOf(name).length)]]);
  return allowed(Object.fromEntries(entries) as unknown as Combination);
}

/** Every pair of settings that can stand together. */
function allPairs(): ReadonlySet<Pair> {
  const pairs = new Set<Pair>();
  const next = numbers(7);
  // 17 switches have about a thousand pairs; each is drawn by chance with a probability of a twelfth at least.
  for (let nth = 0; nth < 5_000; nth += 1) for (const pair of pairsOf(drawn(next))) pairs.add(pair);
  return pairs;
}

/** A few combinations in which each pair of settings that can stand together does so at least once. */
export function pairwise(): readonly Combination[] {
  const left = new Set(allPairs());
  const next = numbers(11);
  const chosen: Combination[] = [];
  while (left.size > 0) {
    const candidates = Array.from({ length: 200 }, () => drawn(next));
    const gains = candidates.map((each) => [...pairsOf(each)].filter((pair) => left.has(pair)).length);
    const best = candidates[gains.indexOf(Math.max(...gains))];
    if (best === undefined || Math.max(...gains) === 0) continue;
    chosen.push(best);
    for (const pair of pairsOf(best)) left.delete(pair);
  }
  return chosen;
}

/** So many combinations, each another one: those of {@link pairwise} and more by chance. */
export function combinations(count: number): readonly Combination[] {
  const found = new Map(pairwise().map((each) => [nameOf(each), each]));
  const next = numbers(13);
  while (found.size < count) {
    const one = drawn(next);
    found.set(nameOf(one), one);
  }
  return [...found.values()];
}
