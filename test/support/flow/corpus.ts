import type { Case } from './cases.ts';
import { CALLS } from './corpus/calls.ts';
import { EVERY_KEY } from './corpus/every-key.ts';
import { FIELDS } from './corpus/fields.ts';
import { LIVE } from './corpus/live.ts';
import { TASKS } from './corpus/tasks.ts';
import { YAML } from './corpus/yaml.ts';

/**
 * A corpus of whole files, good and bad, each told by one line: every key, function and context of the language stands
 * here at least twice, and every fault that has a code.
 */
export const CORPUS: Readonly<Record<string, Case>> = { ...TASKS, ...FIELDS, ...CALLS, ...LIVE, ...EVERY_KEY, ...YAML };
