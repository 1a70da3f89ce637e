import fc from 'fast-check';
import { runSeed } from '../random.ts';

// Properties are drawn from the run's seed too; a failing one prints it.
fc.configureGlobal({ seed: runSeed() });
