import { readdirSync, readFileSync } from 'node:fs';
import { instancePaths } from '@delos/core';
import { TEST_INSTANCE } from '../instance.ts';

/** Processes of this instance's API server. */
export function apiServers(): readonly number[] {
  const { state } = instancePaths(TEST_INSTANCE, process.env);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return argv[1] === 'kube-apiserver' && argv.some((argument) => argument.includes(`${state}/`));
      } catch {
        return false;
      }
    })
    .map(Number);
}
