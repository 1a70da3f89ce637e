import type { Dashboard } from '../base/metrics.ts';

/** Where things lie, and how much room is left. */
export const storage: Dashboard = {
  name: 'storage',
  title: 'Storage',
  idea: 'How full the disks of nodes, the database and the volumes of the platform are',
  audience: 'platform',
  panels: [
    {
      title: 'Disks of nodes',
      unit: 'ratio',
      series: [{ expr: 'node:disk_used:ratio', legend: '{{node}}' }],
    },
    { title: 'Database', unit: 'bytes', series: [{ expr: 'max(delos_database_bytes)', legend: 'size' }] },
    {
      title: 'Metrics',
      unit: 'bytes',
      series: [
        {
          expr: 'prometheus_tsdb_storage_blocks_bytes + prometheus_tsdb_wal_storage_size_bytes',
          legend: 'size',
        },
      ],
    },
    {
      title: 'Object storage',
      unit: 'ratio',
      series: [{ expr: '1 - delos_objects_volume_free_bytes / delos_objects_volume_bytes', legend: 'used' }],
      emptyUnless: 'the platform has an object storage of its own',
    },
  ],
};
