import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as core from '@delos/core';
import { describe, expect, test } from 'vitest';
import { ROOT, SOURCES, tryRoomOf } from '../../support/house/rooms.ts';
import { spelledIn } from '../../support/house/spelled-words.ts';

const WORDS = 'core/src/words/';
/** Rooms that import nothing of ours, and the language of another product. */
const APART = ['artifacts', 'scheduling', 'placement', 'simulator', 'flow'];
const READ = SOURCES.filter((file) => {
  const room = tryRoomOf(file);
  return room !== undefined && !/^(test|bench|docs|peers)\//.test(file) && !APART.includes(room.name);
});
const spelled = READ.filter((file) => !file.startsWith(WORDS)).map(
  (file) => [file, spelledIn(readFileSync(join(ROOT, file), 'utf8'))] as const,
);

/** Texts that nobody else spells, not even inside of a longer text. */
const TEXTS: readonly string[] = [
  ...[core.OWN_PREFIX, core.NAME_LABEL, core.NAMESPACE_NAME_LABEL, core.SERVICE_NAME_LABEL],
  ...[core.ENFORCE_LABEL, core.WARN_LABEL, core.AUDIT_LABEL, core.DEFAULT_CLASS_ANNOTATION],
  ...[...Object.keys(core.MANAGED_BY), core.SYSTEM_APP_LABEL],
  ...[core.SYSTEM_NAMESPACE, `.svc.${core.CLUSTER_DOMAIN}`],
  ...[core.AGENT_ROLE, core.ISSUER_CLIENT, core.OPERATOR_CLIENT, core.REALM_PATH, core.HEADLESS_PATH],
  ...Object.values(core.PRIORITY_CLASSES),
  ...Object.values(core.GPU_KINDS).flatMap(({ resource, wire }) => [resource, wire]),
];
/** CoreDNS answers for its health at this port unless it is told another. */
const OWN_PORTS = ['cluster/src/embedded/addons/coredns.ts'];
/** Numbers that are not used for anything else. */
const PORTS: readonly number[] = [
  ...Object.values(core.PORTS),
  ...Object.values(core.NODE_PORTS),
  ...[core.POSTGRES_PORT, core.API_SERVER_PORT, core.KUBELET_PORT],
];
/** Tables of words that mean other things elsewhere: alone each is typed, two of them together are the table again. */
const TABLES = {
  JOB_STATUSES: core.JOB_STATUSES,
  JOB_PHASES: core.JOB_PHASES,
  POD_PHASES: core.POD_PHASES,
  RESTART_POLICIES: core.RESTART_POLICIES,
  JOB_PRIORITIES: core.JOB_PRIORITIES,
  SECURITY_LEVELS: core.SECURITY_LEVELS,
  PROJECT_ROLES: core.PROJECT_ROLES,
  ACTIONS: core.ACTIONS,
  GPU_FIELDS: core.GPU_FIELDS,
} as const satisfies Readonly<Record<string, readonly string[]>>;

describe('a word of core/src/words', () => {
  test.each(TEXTS)('%s is spelled by no other source', (word) => {
    const found = spelled.filter(([, { texts }]) => texts.some((text) => text.includes(word)));
    expect(found.map(([file]) => file)).toEqual([]);
  });

  test.each(PORTS)('port %d is spelled by no other source', (port) => {
    const found = spelled.filter(
      ([, { texts, numbers }]) => numbers.includes(port) || texts.some((text) => text.includes(`:${port}`)),
    );
    expect(found.map(([file]) => file).filter((file) => !OWN_PORTS.includes(file))).toEqual([]);
  });

  test.each(Object.entries(TABLES))('%s is listed by no other source, nor is a part of it', (_, table) => {
    const known: readonly string[] = table;
    const found = spelled.flatMap(([file, { lists }]) =>
      lists.filter((list) => list.every((word) => known.includes(word))).map((list) => `${file}: ${list.join(', ')}`),
    );
    expect(found).toEqual([]);
  });
});

test('texts, numbers and lists of a source are found, its comments are not', () => {
  const source = `
    import type { A } from 'a/module';
    /** A comment says delos.dev/pool. */
    const key = \`delos.dev/\${name}/end\`;
    type Status = 'failed' | 'cancelled';
    const phases = ['queued', 'gone'] as const;
    const mixed = ['queued', name];
    listen(8080, { 'a key': "b" });`;
  expect(spelledIn(source)).toEqual({
    texts: ['delos.dev/', '/end', 'failed', 'cancelled', 'queued', 'gone', 'queued', 'a key', 'b'],
    numbers: [8080],
    lists: [
      ['failed', 'cancelled'],
      ['queued', 'gone'],
    ],
  });
});
