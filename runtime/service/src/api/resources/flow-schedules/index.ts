import type { ObjectResource } from '../../resource.ts';
import { lookAtFiles } from '../../schedules/look-at-files.ts';
import { sweepSchedules } from '../../schedules/run-schedules.ts';
import { findSchedule, type ScheduleOfProject } from './find.ts';
import { flowScheduleRoutes } from './routes.ts';

export const flowSchedules: ObjectResource<ScheduleOfProject> = {
  name: 'flow-schedules',
  title: 'schedules of bakes',
  prefix: '/api/v1/flow/schedules',
  tables: ['flow_schedules', 'flow_schedule_runs', 'flow_watches'],
  routes: flowScheduleRoutes,
  find: findSchedule,
  sweep: async (deps) => {
    // A file storage that does not answer holds up no run that is due.
    lookAtFiles(deps);
    await sweepSchedules(deps);
  },
  audit: {
    'POST ': 'flow-schedule.create',
    'DELETE /:id': 'flow-schedule.remove',
    'POST /:id/run': 'flow-schedule.run',
  },
};
