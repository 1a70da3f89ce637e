/** What a person does about a complaint of Kubernetes, by what it says; the first that fits. */
const REMEDIES: readonly (readonly [RegExp, (service: string) => string])[] = [
  [
    /ImagePull|ErrImage|InvalidImageName/,
    () => '`delos up` builds and delivers images again; `delos cluster status` shows the registry that nodes ask',
  ],
  [/OOMKilled/, (service) => `give it more memory, or its node: \`delos logs ${service}\` shows what it did last`],
  [
    /Insufficient|Unschedulable|nodes are available/,
    () => 'free what a node lacks, or add a node: `delos kubectl describe nodes` shows what is taken',
  ],
  [
    /FailedMount|FailedAttachVolume|unbound|persistentvolumeclaim/i,
    () => 'its volume is not there: `delos kubectl get pvc,pv -A`, and `delos logs` of what makes volumes',
  ],
  [/exceeded quota|forbidden/i, () => 'the cluster refuses its Pods: look at the quota and policies of its namespace'],
  [/exited with code|CrashLoopBackOff|restarted|Unhealthy|probe failed/, (service) => `\`delos logs ${service}\``],
];

/** The next command for a service that is not ready. */
export function whatToDo(service: string, message: string): string {
  const remedy = REMEDIES.find(([pattern]) => pattern.test(message))?.[1];
  return remedy?.(service) ?? `wait, then \`delos logs ${service}\`; \`delos up\` repairs what differs`;
}
