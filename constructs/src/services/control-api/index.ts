import {
  DelosError,
  FLOW_PATH,
  JOINED_PREFIX,
  joinOf,
  MAX_FLOW_BODY_BYTES,
  MAX_SECRET_BYTES,
  REALM_PATH,
  REGISTRY_CATALOG_PATH,
  REGISTRY_PATH,
} from '@delos/core';
import { type Replicas, replicas } from '../../base/sections/replicas.ts';
import type { ServiceDescriptor } from '../../base/service.ts';
import { keycloak } from '../keycloak/index.ts';
import { ControlApi } from './control-api.ts';
import { JoinedPlatform } from './joined-platform.ts';

const LOGIN_PATH = `${REALM_PATH}/login-actions/authenticate`;

/** The service that clients talk to. */
export const controlApi: ServiceDescriptor<Replicas, ControlApi> = {
  name: 'control-api',
  idea: 'the control API: what clients, agents and collectors talk to',
  image: 'runtime',
  config: replicas,
  user: 60603,
  resources: { cpu: '20m', memory: '96Mi', memoryLimit: '256Mi' },
  database: 'delos',
  bucket: 'job-logs',
  bucketOptional: true,
  needs: [keycloak],
  cache: {
    commands: [
      'ping',
      'eval',
      'evalsha',
      'time',
      'get',
      'mget',
      'set',
      'pexpire',
      'zadd',
      'zcard',
      'zrem',
      'zremrangebyscore',
    ],
    keys: ['limits:*', 'streams:*', 'usage:*'],
  },
  routes: [
    { paths: ['/api/v1/*', '/apis/*'], port: 'http' },
    // A value of 1 MiB, in base64.
    { paths: ['/api/v1/secrets', '/api/v1/on/*/secrets'], port: 'http', maxBodyBytes: 2 * MAX_SECRET_BYTES },
    // What is listed depends on who asks, which the registry does not know.
    { paths: [REGISTRY_CATALOG_PATH], port: 'http' },
    // Says that there is no registry, where there is none.
    { paths: [REGISTRY_PATH, `${REGISTRY_PATH}/*`], port: 'http', fallback: true },
    // Agents of clusters that have joined dial in here. What they bring at once: twice what a collector sends.
    { paths: [`${JOINED_PREFIX}/*`], port: 'internal', maxBodyBytes: 4 * 2 ** 20 },
    // Passwords go through it on their way to Keycloak: it counts failures by source.
    { paths: [LOGIN_PATH, `${LOGIN_PATH}/*`], method: 'POST', port: 'http' },
    // A bake of many tasks, or a file of a flow.
    { paths: [`${FLOW_PATH}/*`], port: 'http', maxBodyBytes: MAX_FLOW_BODY_BYTES },
  ],
  joined: (scope, at) => {
    const join = joinOf(at.config);
    if (join === undefined) throw new DelosError('ERR_INTERNAL', 'this cluster joins no platform');
    return new JoinedPlatform(scope, 'joined-platform', at, join);
  },
  dialsOut: { trustedBy: 'NODE_EXTRA_CA_CERTS', direct: true },
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'ApiFailures',
      severity: 'critical',
      expr: 'job:delos_api_failures:ratio5m > 0.05',
      for: '5m',
      summary: 'The control API fails at more than one request of twenty',
    },
    {
      name: 'ApiSlow',
      severity: 'warning',
      expr: 'job:delos_api_request_seconds:p99_5m > 5',
      for: '10m',
      summary: 'One request of a hundred to the control API takes more than 5 s',
    },
    {
      name: 'ClusterSilent',
      severity: 'warning',
      expr: 'min by (cluster) (delos_cluster_silent_seconds) > 180',
      for: '1m',
      summary: 'The cluster {{ $labels.cluster }} is not heard of: no job starts or ends there',
    },
    {
      name: 'BakesStand',
      severity: 'warning',
      expr: 'max(delos_flow_bake_behind_seconds) > 300',
      for: '1m',
      summary: 'A bake could not be carried on for five minutes: nothing new of it starts',
    },
    {
      name: 'BakeFailed',
      severity: 'warning',
      expr: 'max by (org, project, flow, batch) (delos_flow_batch_failed) > 0',
      for: '0s',
      summary:
        'The last bake of {{ $labels.batch }} of flow {{ $labels.flow }} in {{ $labels.org }}/{{ $labels.project }} failed',
    },
    {
      name: 'BakeEnded',
      severity: 'warning',
      expr: 'max by (org, project, flow, batch, bake, result) (delos_flow_bake_ended) > 0',
      for: '0s',
      summary:
        '{{ $labels.bake }} ({{ $labels.batch }} in {{ $labels.org }}/{{ $labels.project }}) has ended: {{ $labels.result }}',
    },
    {
      name: 'LogsNotMoved',
      severity: 'warning',
      expr: 'max(delos_logs_stuck_seconds) > 300',
      for: '5m',
      summary: 'The object storage takes no logs of jobs: they stay in PostgreSQL meanwhile',
    },
    {
      name: 'LogsRefused',
      severity: 'critical',
      expr: 'max(delos_logs_refused) > 0',
      for: '1m',
      summary:
        'PostgreSQL holds as many logs as it may, and the object storage takes none: new ones wait on their nodes',
    },
  ],
  panels: [
    {
      title: 'Requests by route',
      unit: 'per-second',
      series: [{ expr: 'topk(10, job_route:delos_api_requests:rate5m)', legend: '{{route}}' }],
    },
    {
      title: 'Failures',
      unit: 'ratio',
      series: [{ expr: 'job:delos_api_failures:ratio5m', legend: 'failed' }],
    },
    {
      title: 'Slowest of a hundred requests',
      unit: 'seconds',
      series: [{ expr: 'job:delos_api_request_seconds:p99_5m', legend: 'p99' }],
    },
    {
      title: 'Bakes under way',
      unit: 'count',
      series: [{ expr: 'max(delos_flow_bakes_open)', legend: 'bakes' }],
    },
    {
      title: 'Logs that arrive',
      unit: 'bytes-per-second',
      series: [{ expr: 'sum(rate(delos_api_log_bytes_total[5m]))', legend: 'logs' }],
    },
  ],
  build: (scope, at) =>
    new ControlApi(scope, 'control-api', { descriptor: controlApi, at, identity: at.get(keycloak) }),
};
