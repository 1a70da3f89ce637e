import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { delosConfig, parseConfig } from '@delos/constructs';
import { configJsonSchema, configReference } from '@delos/core';
import { expect, test } from 'vitest';

// `vitest run --project unit test/unit/core/config-docs.test.ts -u` writes them anew.
const guides = '../../../docs/guides';

const HEAD = `# delos.yaml

Every key may be left out. \`delos init\` writes a file with all of them and what they mean; \`delos preflight --config FILE\`
checks one without touching anything. Memory and disk are Kubernetes quantities: \`512Mi\`, \`2G\`, \`1e9\`, or bytes; cores
are \`2\`, \`0.5\` or \`500m\`. A value that Kubernetes or Keycloak would refuse later is refused when the file is read, with its
line and column. How guarantees, limits, weights and preemptible presets go together: [Sharing a platform between teams](sharing.md).

Editors that know YAML schemas complete and check it by the line
\`# yaml-language-server: $schema=docs/guides/delos.schema.json\` on top.

This page is made from the schema that the command checks with.

`;

test('the guide to delos.yaml says what the schema says', async () => {
  await expect(HEAD + configReference(delosConfig)).toMatchFileSnapshot(`${guides}/configuration.md`);
});

test('the JSON Schema for editors is the schema', async () => {
  await expect(`${JSON.stringify(configJsonSchema(delosConfig), undefined, 2)}\n`).toMatchFileSnapshot(
    `${guides}/delos.schema.json`,
  );
});

test('the example of the guide to sharing is the file that it names, and can be used', () => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, guides, name), 'utf8');
  const file = read('scheduling/two-projects.yaml');
  expect(parseConfig(file, 'two-projects.yaml').organizations[0]?.projects).toMatchObject([
    { name: 'research', guarantee: { gpu: 1 } },
    { name: 'teaching', limit: { gpu: 2 } },
  ]);
  const shown = file
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => `    ${line}\n`);
  expect(read('sharing.md')).toContain(shown.join(''));
});
