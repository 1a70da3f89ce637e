import { KubeError } from '@delos/kube';
import { describe, expect, test } from 'vitest';
import { explainRefusal } from '../../../../runtime/service/src/agent/jobs/pod-refusal.ts';

const AGENT = 'User "system:serviceaccount:delos:agent" cannot';

describe('what the API server answers for a Pod', () => {
  test.each([
    ['to make one', `pods is forbidden: ${AGENT} create resource "pods" in API group "" in the namespace "p"`],
    ['to read one', `pods "job-1" is forbidden: ${AGENT} get resource "pods" in API group "" in the namespace "p"`],
    [
      'where all goes',
      'pods "job-1" is forbidden: unable to create new content in namespace p because it is being terminated',
    ],
  ])('403 without a right, %s: the namespace and its rights are made again', (_, message) => {
    expect(explainRefusal(new KubeError(403, message))).toMatchObject({ final: false, forgetNamespace: true });
  });

  test.each([
    [403, 'pods "job-1" is forbidden: violates PodSecurity "baseline:latest": privileged', true, false],
    [403, 'pods "job-1" is forbidden: exceeded quota: team, requested: cpu=1', false, false],
    [403, 'pods "job-1" is forbidden: no PriorityClass with name high was found', false, false],
    [404, 'namespaces "p" not found', false, true],
    [422, 'Pod "job-1" is invalid', true, false],
    [503, 'apiserver is shutting down', false, false],
  ])('%i %s', (status, message, final, forgetNamespace) => {
    expect(explainRefusal(new KubeError(status, message))).toMatchObject({ final, forgetNamespace });
  });
});
