import type { Command } from 'commander';
import { positiveNumber } from './option-numbers.ts';

/** Adds what a search in logs is asked with. */
export const withSearch = (command: Command): Command =>
  command
    .option('--search <text>', 'lines of platform and jobs with this text, also of Pods that are gone')
    .option('--since <time>', 'with --search: of the last 30m, 12h, 7d; left out: 1d')
    .option('--service <name>', 'with --search: of this service of the platform')
    .option('--job <id>', 'with --search: of this job')
    .option('--project <name>', 'with --search: of jobs of this project')
    .option('--user <name>', 'with --search: of jobs of this user')
    .option('--limit <lines>', 'with --search: the newest so many; left out: 1000', positiveNumber);
