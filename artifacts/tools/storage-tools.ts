import type { ToolName, ToolSpec } from './tool.ts';

const GIB = 2 ** 30;

/** Tools of storage, with their pins. */
export const STORAGE_TOOLS: Readonly<
  Record<
    Extract<
      ToolName,
      'objects' | 'depot' | 'pg-archive' | 'files' | 'image-registry' | 'image-builder' | 'image-saver'
    >,
    ToolSpec
  >
> = {
  objects: {
    name: 'objects',
    // Of versitygw, which it has inside.
    version: '1.8.0',
    build: {
      module: 'objects',
      package: './cmd/objects',
      cold: { seconds: 30, diskBytes: 1 * GIB, memoryBytes: 0.8 * GIB },
    },
  },
  depot: {
    name: 'depot',
    version: '0.1.0',
    build: {
      module: 'depot',
      package: './cmd/depot',
      cold: { seconds: 15, diskBytes: 0.3 * GIB, memoryBytes: 0.4 * GIB },
    },
  },
  'pg-archive': {
    name: 'pg-archive',
    version: '0.1.0',
    build: {
      module: 'pg-archive',
      package: './cmd/pg-archive',
      cold: { seconds: 25, diskBytes: 0.5 * GIB, memoryBytes: 0.6 * GIB },
    },
  },
  files: {
    name: 'files',
    version: '0.1.0',
    build: {
      module: 'files',
      package: './cmd/files',
      cold: { seconds: 10, diskBytes: 0.2 * GIB, memoryBytes: 0.4 * GIB },
    },
  },
  'image-registry': {
    name: 'image-registry',
    // Of distribution, which it has inside: the same modules as the tool `registry`, so that one compiles for both.
    version: '3.1.2',
    build: {
      module: 'image-registry',
      package: './cmd/image-registry',
      cold: { seconds: 50, diskBytes: 1 * GIB, memoryBytes: 1 * GIB },
    },
  },
  'image-builder': {
    name: 'image-builder',
    version: '0.1.0',
    build: {
      module: 'image-builder',
      package: './cmd/image-builder',
      cold: { seconds: 25, diskBytes: 0.5 * GIB, memoryBytes: 0.6 * GIB },
    },
  },
  'image-saver': {
    name: 'image-saver',
    version: '0.1.0',
    build: {
      module: 'image-builder',
      package: './cmd/image-saver',
      cold: { seconds: 25, diskBytes: 0.5 * GIB, memoryBytes: 0.6 * GIB },
    },
  },
};
