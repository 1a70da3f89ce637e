import { describe } from 'vitest';
import { combinations } from '../../support/constructs/switches.ts';
import { switchRules } from '../../support/constructs/switches-suite.ts';

describe('250 combinations of switches', () => switchRules(combinations(250)));
