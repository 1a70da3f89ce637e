import { readFileSync } from 'node:fs';
import { ownServices, parseConfig, SERVICES, withFileStorage } from '@delos/constructs';
import { TEST_CONFIG } from './instance.ts';

/**
 * Services of the tests' platform: those of the list that are not off by themselves, and those that it asks for. Its cluster is an
 * embedded one, so it has a file storage; which folder that is counts for nothing here.
 */
export const TEST_SERVICES = ownServices(
  withFileStorage(parseConfig(readFileSync(TEST_CONFIG, 'utf8'), 'platform.yaml'), '/srv/files'),
  SERVICES,
);
