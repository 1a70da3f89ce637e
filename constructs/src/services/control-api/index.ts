import { SERVICE_USERS } from '@delos/core';
import { type Replicas, replicas } from '../../base/replicas.ts';
import type { ServiceDescriptor } from '../../base/service.ts';
import { keycloak } from '../keycloak/index.ts';
import { ControlApi } from './control-api.ts';

export const controlApi: ServiceDescriptor<Replicas, ControlApi> = {
  name: 'control-api',
  idea: 'the control API: what clients, agents and collectors talk to',
  image: 'runtime',
  config: replicas,
  user: SERVICE_USERS['control-api'],
  resources: { cpu: '20m', memory: '96Mi', memoryLimit: '256Mi' },
  database: 'delos',
  routes: [{ paths: ['/api/v1/*', '/apis/*'], port: 'http' }],
  build: (scope, at) =>
    new ControlApi(scope, 'control-api', { descriptor: controlApi, at, keycloak: at.get(keycloak) }),
};
