import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApoloClient } from '../../peers/src/apolo.ts';
import { kubectl, loggedIn } from '../support/instance.ts';
import { type Api, api } from '../support/service/api.ts';
import { until } from '../support/until.ts';

/* A project gets its guaranteed GPU back from a job that was lent both of the node's. */

describe('a preemptible job', () => {
  let ann: ApoloClient;
  let platform: Api;
  const ids: string[] = [];
  beforeAll(async () => {
    ann = await loggedIn('ann');
    platform = await api('ann');
  });
  afterAll(async () => {
    await ann?.run(['kill', ...ids]);
    await ann?.close();
  });

  test('is suspended for a job within a guarantee, and runs again to its end when there is room', async () => {
    // An end without an error, when it is told to: it has not done its work.
    const command = `sh -c 'trap "echo was told to go; exit 0" TERM; echo begins; sleep 8 & wait; echo is done'`;
    const spot = await platform.create({ preset_name: 'spot', command, name: 'gives-way' });
    ids.push(spot.id);
    const { namespace } = await platform.running(spot.id);
    const podUid = (): Promise<string> =>
      kubectl(['get', 'pod', '-n', namespace ?? '', spot.id, '-o', 'jsonpath={.metadata.uid}']);
    const first = await podUid();

    const claim = await platform.create({ project_name: 'served', preset_name: 'gpu', command: 'sleep 3000' });
    ids.push(claim.id);
    await until('it is suspended', 60, async (last) => {
      const { status } = await platform.job(spot.id);
      last(status);
      return status === 'suspended' ? true : undefined;
    });
    expect(await ann.ok(['status', spot.id])).toMatch(/suspended \((Preempted|NoCapacity)\)/);
    expect(await ann.ok(['ps', '--format', '{id} {status}'])).toMatch(new RegExp(`${spot.id}[^\\n]*suspended`));
    await platform.running(claim.id);
    await platform.call('DELETE', `/jobs/${claim.id}`);

    await platform.running(spot.id);
    expect(await podUid()).not.toBe(first);
    const ended = await platform.ended(spot.id);
    expect(ended).toMatchObject({ status: 'succeeded', history: { exit_code: 0, restarts: 1 } });
    const told = ended.statuses.find(({ reason }) => reason === 'Preempted');
    expect(told).toMatchObject({ status: 'suspended' });
    expect(told?.description).toContain(claim.id);
    expect(await ann.ok(['status', spot.id])).toContain('succeeded');
    expect(await ann.ok(['logs', spot.id])).toBe('begins\nwas told to go\nbegins\nis done\n');
  });
});
