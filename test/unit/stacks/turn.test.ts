import type { SynthesizedObject } from '@delos/constructs';
import { REREADS_ANNOTATION } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { restarting } from '../../../stacks/src/bridge/restarts.ts';
import { certificateAuthority } from '../../../stacks/src/secrets/certificates.ts';
import { EMPTY_STORE, parseStore, type SecretStore } from '../../../stacks/src/secrets/secret-store.ts';
import { completeSecrets } from '../../../stacks/src/secrets/store.ts';
import type { Turn } from '../../../stacks/src/secrets/turn.ts';

const ADDRESS = 'delos/token/value';
const secret = (rotation?: object): SynthesizedObject => ({
  id: 'token',
  part: 'server',
  manifest: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'token', namespace: 'delos' } },
  dependsOn: [],
  secrets: { value: { kind: 'password', length: 24, ...(rotation === undefined ? {} : { rotation }) } } as never,
});
const OVERLAP = secret({ kind: 'overlap' });
const after = async (store: SecretStore, to?: Turn['to'], object = OVERLAP) => {
  const turn = to === undefined ? undefined : { addresses: [ADDRESS], to };
  const done = await completeSecrets([object], store, certificateAuthority, new Date(), { turn });
  return { ...done, own: done.values.get('token') ?? {} };
};

describe('a secret that is rotated', () => {
  test('has the next value beside the present one, then the former one, then none', async () => {
    const made = await after(EMPTY_STORE);
    expect(Object.keys(made.own)).toEqual(['value']);
    const next = await after(made.store, 'next');
    expect(next.own.value).toBe(made.own.value);
    expect(next.own['value.next']).toHaveLength(24);
    expect(next.own['value.next']).not.toBe(made.own.value);
    const former = await after(next.store, 'former');
    expect(former.own).toEqual({ value: next.own['value.next'], 'value.former': made.own.value });
    const done = await after(former.store, 'done');
    expect(done.own).toEqual({ value: next.own['value.next'] });
    expect(JSON.stringify(done.store)).not.toContain(made.own.value);
  });

  test('takes each step once, however often it is asked to', async () => {
    let store = (await after(EMPTY_STORE)).store;
    for (const to of ['next', 'former', 'done'] as const) {
      const once = await after(store, to);
      const twice = await after(once.store, to === 'done' ? 'former' : to);
      expect(twice.own).toEqual(once.own);
      expect(twice.changed).toBe(false);
      store = once.store;
    }
    expect(store.steps).toEqual({ [ADDRESS]: 3 });
  });

  test('keeps both values in an update between two steps, as `up` is', async () => {
    const next = await after((await after(EMPTY_STORE)).store, 'next');
    expect((await after(parseStore(JSON.stringify(next.store)))).own).toEqual(next.own);
  });
});

test.each([
  ['nobody has said how', secret()],
  ['its construct says that it is kept', secret({ kind: 'kept', why: 'it is' })],
])('a secret is not rotated where %s', async (_, object) => {
  const { store } = await after(EMPTY_STORE, undefined, object);
  await expect(after(store, 'next', object)).rejects.toThrow(`${ADDRESS} is not rotated`);
});

describe('other Pods', () => {
  const workload = (name: string, part: string, rereads = false): SynthesizedObject => ({
    id: name,
    part,
    manifest: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: 'delos', ...(rereads ? { annotations: { [REREADS_ANNOTATION]: 'true' } } : {}) },
      spec: { template: { spec: { volumes: [{ name: 'v', secret: { secretName: 'token' } }] } } },
    },
    dependsOn: [],
    secrets: {},
  });
  const markOf = (steps: number, object: SynthesizedObject, own = OVERLAP): string | undefined => {
    const { objects } = restarting({ objects: [own, object] }, steps === 0 ? {} : { [ADDRESS]: steps });
    const text = JSON.stringify(objects[1]?.manifest);
    return /"delos\.dev\/rotated-secrets":"([^"]*)"/.exec(text)?.[1];
  };
  const marks = (object: SynthesizedObject, own = OVERLAP) =>
    [0, 1, 2, 3, 4].map((steps) => markOf(steps, object, own));

  test('come for the server of a secret when it accepts another value, or one less', () => {
    expect(marks(workload('server', 'server'))).toEqual([undefined, '1', '1', '2', '3']);
  });

  test('come for a client when it shall show another value', () => {
    expect(marks(workload('client', 'client'))).toEqual([undefined, undefined, '1', '1', '1']);
  });

  test('never come for what reads its secrets anew, nor for PostgreSQL and Keycloak themselves', () => {
    const none = [undefined, undefined, undefined, undefined, undefined];
    expect(marks(workload('client', 'client', true))).toEqual(none);
    const role = secret({ kind: 'role', role: 'delos' });
    expect(marks(workload('server', 'server'), role)).toEqual(none);
    expect(marks(workload('client', 'client'), role)).toEqual([undefined, undefined, '1', '1', '1']);
    expect(marks(workload('server', 'server'), secret({ kind: 'told' }))).toEqual(none);
  });
});
