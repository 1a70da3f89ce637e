import { configJsonSchema, configReference } from '@delos/core';
import { expect, test } from 'vitest';

// `vitest run --project unit test/unit/core/config-docs.test.ts -u` writes them anew.
const guides = '../../../docs/guides';

const HEAD = `# delos.yaml

Every key may be left out. \`delos init\` writes a file with all of them and what they mean; \`delos preflight --config FILE\`
checks one without touching anything. Memory and disk are Kubernetes quantities: \`512Mi\`, \`2G\`, or bytes.

Editors that know YAML schemas complete and check it by the line
\`# yaml-language-server: $schema=docs/guides/delos.schema.json\` on top.

This page is made from the schema that the command checks with.

`;

test('the guide to delos.yaml says what the schema says', async () => {
  await expect(HEAD + configReference()).toMatchFileSnapshot(`${guides}/configuration.md`);
});

test('the JSON Schema for editors is the schema', async () => {
  await expect(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`).toMatchFileSnapshot(
    `${guides}/delos.schema.json`,
  );
});
