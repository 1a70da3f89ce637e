import { configWith, loadConfigBy, readYaml } from '@delos/core';
import type { DelosConfig } from './delos-config.ts';
import { sectionsOf } from './service-sections.ts';
import { SERVICES } from './services.ts';

/** The schema of delos.yaml: the platform, and under `services` a section for each service of the list. */
export const delosConfig = configWith(sectionsOf(SERVICES));

/**
 * The text of a delos.yaml. An empty one is all defaults.
 * @throws DelosError ERR_CONFIG_SYNTAX, ERR_CONFIG_KEY, ERR_CONFIG_VALUE with file, line, column and field
 */
export const parseConfig = (text: string, file: string): DelosConfig => readYaml(delosConfig, { file, text });

/** @throws DelosError ERR_CONFIG_NOT_FOUND, and what `parseConfig` throws */
export const loadConfig = (file: string): Promise<DelosConfig> => loadConfigBy(delosConfig, file);
