import { configWith, loadConfigBy, type ProfileName, readYaml } from '@delos/core';
import { z } from 'zod';
import type { DelosConfig } from './delos-config.ts';
import { withProfile } from './profiles.ts';
import { serviceFaults } from './service-rules.ts';
import { sectionsOf } from './service-sections.ts';
import { SERVICES } from './services.ts';

const whole = configWith(sectionsOf(SERVICES)).superRefine((config, context) => {
  for (const { path, message } of serviceFaults(config, SERVICES)) {
    context.addIssue({ code: 'custom', path: [...path], message });
  }
});

/** @param profile in place of the file's own */
const schemaFor = (profile?: ProfileName) =>
  z.preprocess((given) => withProfile(profile === undefined ? given : { ...Object(given), profile }), whole);

/**
 * The schema of delos.yaml: the platform, and under `services` a section for each service of the list. What is left out is
 * the profile's.
 */
export const delosConfig = schemaFor();

/**
 * The text of a delos.yaml. An empty one is all defaults.
 * @param profile in place of the file's own
 * @throws DelosError ERR_CONFIG_SYNTAX, ERR_CONFIG_KEY, ERR_CONFIG_VALUE with file, line, column and field
 */
export const parseConfig = (text: string, file: string, profile?: ProfileName): DelosConfig =>
  readYaml(schemaFor(profile), { file, text });

/** @throws DelosError ERR_CONFIG_NOT_FOUND, and what `parseConfig` throws */
export const loadConfig = (file: string, profile?: ProfileName): Promise<DelosConfig> =>
  loadConfigBy(schemaFor(profile), file);
