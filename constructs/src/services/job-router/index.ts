import { JOB_LOGIN_PATH, jobsDomain } from '@delos/core';
import { type Replicas, replicas } from '../../base/sections/replicas.ts';
import type { ServiceDescriptor } from '../../base/service.ts';
import { controlApi } from '../control-api/index.ts';
import { JobRouter } from './job-router.ts';

/** Largest body of a request to a job. */
const MAX_BODY_BYTES = 64 * 2 ** 30;
/** Of a stream that a job sends, and of an upload. */
const REQUEST_HOURS = 24;
/** As long as the router waits for the head of a job's answer (artifacts/go/job-router). */
const ANSWER_MINUTES = 61;
/** Of the gateway's open files, two each: what jobs have of it leaves the rest for the platform. */
const MOST_UNDER_WAY = 400;

/** The service by which jobs are reached by HTTP. */
export const jobRouter: ServiceDescriptor<Replicas, JobRouter> = {
  name: 'job-router',
  idea: 'the router of jobs: leads their addresses to their Pods, and lets in who may see them',
  image: 'job-router',
  config: replicas,
  user: 60640,
  resources: { cpu: '10m', memory: '24Mi', memoryLimit: '128Mi' },
  needs: [controlApi],
  login: { title: 'Pages of jobs', paths: [`${JOB_LOGIN_PATH}/callback`] },
  routes: [
    {
      hosts: 'jobs',
      paths: ['/*'],
      port: 'http',
      http2Port: 'http2',
      maxBodyBytes: MAX_BODY_BYTES,
      requestHours: REQUEST_HOURS,
      answerMinutes: ANSWER_MINUTES,
      mostUnderWay: MOST_UNDER_WAY,
    },
    { paths: [`${JOB_LOGIN_PATH}/*`], port: 'http' },
  ],
  dialsOut: { trustedBy: 'SSL_CERT_FILE', direct: true },
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'JobRouterBlind',
      severity: 'warning',
      expr: 'sum(rate(delos_job_router_questions_total{outcome="failed"}[5m])) / sum(rate(delos_job_router_questions_total[5m])) > 0.2',
      for: '5m',
      summary: 'The control API or Keycloak does not answer the router of jobs: new visitors of jobs are turned away',
    },
  ],
  panels: [
    {
      title: 'Requests to jobs',
      unit: 'per-second',
      series: [{ expr: 'sum by (end) (rate(delos_job_router_requests_total[5m]))', legend: '{{end}}' }],
      emptyUnless: 'somebody has opened the address of a job',
    },
    {
      title: 'Requests and streams under way',
      unit: 'count',
      series: [{ expr: 'sum(delos_job_router_under_way)', legend: 'under way' }],
    },
  ],
  // There are no names below an address.
  wanted: ({ domain }) => jobsDomain(domain) !== undefined,
  build: (scope, at) => new JobRouter(scope, 'job-router', { descriptor: jobRouter, at }),
};
