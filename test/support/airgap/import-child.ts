import { type Importing, imported } from './site.ts';

/* An import in a process of its own, which ends by SIGKILL at its nth step. Arguments: what is imported, as JSON, and the step. */

const [, , how = '{}', nth = '0'] = process.argv;
let steps = 0;
await imported({
  ...(JSON.parse(how) as Importing),
  onStep: () => {
    steps += 1;
    if (steps === Number(nth)) process.kill(process.pid, 'SIGKILL');
  },
});
