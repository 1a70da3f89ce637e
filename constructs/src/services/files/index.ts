import { FILE_STORAGE_PATH, FILE_STORAGE_USER, fileStorageKind } from '@delos/core';
import { z } from 'zod';
import type { ServiceDescriptor } from '../../base/service.ts';
import { controlApi } from '../control-api/index.ts';
import { Files } from './files.ts';

export { SAVE_FILES } from './files.ts';

const section = z.strictObject({}).prefault({});

/** One request of the official client has a mebibyte. Others may send more at once. */
const MAX_BODY_BYTES = 2 ** 30;

/** The service that has the files of projects. */
export const files: ServiceDescriptor<z.infer<typeof section>, Files> = {
  name: 'files',
  idea: 'file storage: files of projects, as `apolo storage` asks for them',
  image: 'files',
  config: section,
  user: FILE_STORAGE_USER,
  resources: { cpu: '20m', memory: '24Mi', memoryLimit: '256Mi' },
  needs: [controlApi],
  wanted: ({ storage }) => fileStorageKind(storage) !== undefined,
  routes: [
    {
      paths: [FILE_STORAGE_PATH, `${FILE_STORAGE_PATH}/*`],
      port: 'http',
      maxBodyBytes: MAX_BODY_BYTES,
      // A folder with a million files goes before the answer begins, where a client asks for no list of them.
      answerMinutes: 10,
    },
  ],
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'FileStorageNearlyFull',
      severity: 'warning',
      expr: 'delos_files_volume_free_bytes / delos_files_volume_bytes < 0.1 or delos_files_volume_free_files / (delos_files_volume_files > 0) < 0.1',
      for: '10m',
      summary: 'The file storage is nearly full: soon nobody can write to it, jobs included',
    },
    {
      name: 'FileStorageErrors',
      severity: 'warning',
      expr: 'sum by (job) (rate(delos_files_requests_total{answer="5xx"}[5m])) / sum by (job) (rate(delos_files_requests_total[5m])) > 0.05',
      for: '10m',
      summary: 'The file storage answers more than one request of twenty with an error of its own',
    },
  ],
  panels: [
    {
      title: 'Requests',
      unit: 'per-second',
      series: [{ expr: 'sum by (op) (rate(delos_files_requests_total[5m]))', legend: '{{op}}' }],
      emptyUnless: 'a client has asked',
    },
    {
      title: 'Space',
      unit: 'bytes',
      series: [
        { expr: 'delos_files_volume_bytes', legend: 'size' },
        { expr: 'delos_files_volume_free_bytes', legend: 'free' },
      ],
    },
    {
      title: 'Largest projects',
      unit: 'bytes',
      series: [{ expr: 'topk(10, delos_files_project_bytes)', legend: '{{project}}' }],
      emptyUnless: 'a project has files',
    },
  ],
  build: (scope, at) => new Files(scope, 'files', { descriptor: files, at }),
};
