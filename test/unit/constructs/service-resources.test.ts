import { parseConfig, SERVICES, sectionName } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { ASKED_ELSEWHERE, platformOf, workloadsOf } from './synthesized.ts';

test.each(SERVICES.map((service) => [service.name, service] as const))(
  '%s gets the processor and the memory that the file gives it',
  (name, service) => {
    const section = `services: {${sectionName(service)}: {enabled: true, resources: {cpu: 1500m, memory: 3Gi, memoryLimit: 5Gi}}}`;
    const { pod } = workloadsOf(platformOf(`${ASKED_ELSEWHERE}\n${section}`)).find((each) => each.name === name) ?? {};
    expect(pod?.containers[0]?.resources).toEqual({
      requests: { cpu: '1500m', memory: '3Gi' },
      limits: { memory: '5Gi' },
    });
  },
);

test('more memory is of use: each limit is told to what keeps within it', () => {
  const env = (yaml: string, name: string, variable: string): string => {
    const container = workloadsOf(platformOf(yaml)).find((each) => each.name === name)?.pod.containers[0];
    return container?.env.find((each) => each.name === variable)?.value ?? JSON.stringify(container?.command);
  };
  const with2Gi = (service: string): string => `services: {${service}: {resources: {memory: 1Gi, memoryLimit: 2Gi}}}`;
  expect(env('', 'control-api', 'NODE_OPTIONS')).toContain('--max-old-space-size=160 ');
  expect(env(with2Gi('controlApi'), 'control-api', 'NODE_OPTIONS')).toContain('--max-old-space-size=1280 ');
  expect(env(with2Gi('keycloak'), 'keycloak', 'JAVA_OPTS_KC_HEAP')).toContain('-Xmx800m');
  expect(env(with2Gi('gateway'), 'gateway', 'GOMEMLIMIT')).toBe('1600MiB');
  expect(env(with2Gi('postgres'), 'postgres', '')).toContain('shared_buffers=256MB');
});

describe('memory of a service', () => {
  test.each([
    ['less than it needs to run', '{memoryLimit: 100Mi}', 'expected at least 832Mi, which it needs to run'],
    ['a limit below what is kept', '{memory: 3Gi}', '1Gi is less than the 3Gi of `memory`: raise it too'],
  ])('is refused: %s', (_, resources, message) => {
    expect(() => parseConfig(`services: {keycloak: {resources: ${resources}}}`, 'f')).toThrow(message);
  });
});
