import { readFileSync } from 'node:fs';
import { ownServices, parseConfig, SERVICES } from '@delos/constructs';
import { TEST_CONFIG } from './instance.ts';

/** Services of the tests' platform: those of the list that are not off by themselves, and those that it asks for. */
export const TEST_SERVICES = ownServices(parseConfig(readFileSync(TEST_CONFIG, 'utf8'), 'platform.yaml'), SERVICES);
