import { KubeClient, libraryAccess } from '@delos/kube';
import { sweepRun } from './sweep.ts';

/*
 * Takes away what a run of a check has made, once the process that started this one has ended, however it did: its pipe on stdin
 * ends with it. usage: cleaner-main.ts KUBECONFIG CONTEXT RUN. Prints what is left, a line each.
 */
const [kubeconfig = '', context = '', run = ''] = process.argv.slice(2);
// A Ctrl-C of the terminal is for the command.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
await new Promise<void>((resolve) => {
  process.stdin.on('end', resolve).on('error', resolve).resume();
});
const client = new KubeClient(await libraryAccess({ kubeconfig, context }), { fieldManager: 'delos', attempts: 5 });
const left = await sweepRun(client, run);
client.close();
process.stdout.on('error', () => undefined);
for (const each of left) process.stdout.write(`${each}\n`);
