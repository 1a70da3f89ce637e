import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '@delos/core';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { execute } from '../../../peers/src/command.ts';
import { probedCluster, provideProbes } from '../../integration/cluster/netpol/testcluster.ts';
import { clusterOf, embeddedEngineOf, testConfig } from '../../support/cluster/cluster.ts';
import { TEST_INSTANCE } from '../../support/instance.ts';
import { upstreamSuite } from './netpol-upstream.ts';

const reports = z.array(
  z.object({
    SpecReports: z.array(
      z.object({
        LeafNodeType: z.string(),
        LeafNodeText: z.string(),
        State: z.string(),
        Failure: z.object({ Message: z.string().default('') }).optional(),
      }),
    ),
  }),
);

async function passes(kubeconfig: string): Promise<void> {
  const suite = await upstreamSuite();
  const work = await mkdtemp(join(tmpdir(), 'delos-netpol-e2e-'));
  try {
    const report = join(work, 'report.json');
    const options = [
      `--kubeconfig=${kubeconfig}`,
      '--provider=skeleton',
      // Kernels of many machines have no SCTP; what a rule for it does to TCP is among the other specs.
      '--ginkgo.focus=Netpol|NetworkPolicy',
      '--ginkgo.skip=SCTPConnectivity',
      '--ginkgo.no-color',
      '--ginkgo.timeout=55m',
      `--ginkgo.json-report=${report}`,
    ];
    const run = await execute([suite, ...options], { timeout: 3400, cwd: work });
    const specs = reports
      .parse(JSON.parse(await readFile(report, 'utf8')))
      .flatMap(({ SpecReports }) => SpecReports)
      .filter(({ LeafNodeType, State }) => LeafNodeType === 'It' && State !== 'skipped');
    const failed = specs.filter(({ State }) => State !== 'passed');
    expect(failed.map(({ LeafNodeText, Failure }) => `${LeafNodeText}: ${Failure?.Message ?? ''}`)).toEqual([]);
    expect([specs.length, run.code]).toEqual([47, 0]);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

test('Kubernetes’ own NetworkPolicy specs pass, those that send SCTP aside', async () => {
  await passes((await probedCluster()).kubeconfig);
});

test('they pass on three nodes', async () => {
  const instance = `${TEST_INSTANCE}-np3`.slice(0, 20);
  try {
    const cluster = await clusterOf(instance);
    await cluster.engine.up(testConfig(), silent, { nodes: 3 });
    await passes((await provideProbes(cluster)).kubeconfig);
  } finally {
    await (await embeddedEngineOf(instance)).down({ deleteData: true }, silent);
  }
});
