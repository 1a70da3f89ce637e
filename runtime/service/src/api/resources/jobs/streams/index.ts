import type { JobRow } from '../../../../db/schema.ts';
import type { ObjectStream } from '../../../stream.ts';
import { openContainer, readAttach, readExec, readPortForward } from './container-stream.ts';
import { openLog } from './log-stream.ts';
import { openTop } from './top-stream.ts';

/** What the client offers with attach, in a raw header. */
const protocol = 'v2.channels.neu.ro';

/** A job's log, and the ways into its container. */
export const jobStreams: readonly ObjectStream<JobRow>[] = [
  { path: '/:id/log_ws', right: 'read', protocol, open: openLog },
  { path: '/:id/top', right: 'read', protocol, open: openTop },
  { path: '/:id/attach', right: 'write', protocol, open: openContainer(readAttach) },
  { path: '/:id/exec', right: 'write', protocol, open: openContainer(readExec) },
  { path: '/:id/port_forward/:port?', right: 'write', protocol, open: openContainer(readPortForward) },
];
