import { FLOW_PATH } from '@delos/core';
import type { ObjectResource } from '../../resource.ts';
import { type ConfigFileOfFlow, findConfigFile } from './find.ts';
import { flowConfigFileRoutes } from './routes.ts';

export const flowConfigFiles: ObjectResource<ConfigFileOfFlow> = {
  name: 'flow-config-files',
  title: 'configuration files of bakes',
  prefix: `${FLOW_PATH}/config_files`,
  tables: ['flow_config_files'],
  routes: flowConfigFileRoutes,
  find: findConfigFile,
  audit: { 'POST ': 'flow-config-file.create' },
};
