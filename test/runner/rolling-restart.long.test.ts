// Processes that are restarted one after the other, as an upgrade does.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addRecorders, askForRuns, checkAccounts, waitUntilQuiet } from '../support/accounts.ts';
import { Follower, Member, markLog } from '../support/cluster.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import type { AppProcess } from '../support/process.ts';
import { rows } from '../support/races.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await testDatabase();
});

afterEach(async () => {
  await database.close();
});

test('three processes restarted one after the other, twice, under load lose nothing, double nothing and try nothing again', async () => {
  const settings = { GRACE_SECONDS: '10' };
  const members = Array.from({ length: 3 }, () => new Member('all', database.url, settings));
  const followers: Follower[] = [];
  try {
    const [gateway] = await Promise.all(members.map(({ process }) => process));
    const start = await markLog(gateway as AppProcess);
    const begin = new Date(Date.now() - 20 * 60_000);
    // 20 slots of each task are due at once, and each waits for the one before.
    const taskIds = await addRecorders(database.orm, 20, begin);
    followers.push(new Follower(members, start), new Follower(members.toReversed(), start));
    let over = false;
    const asking = askForRuns(members, taskIds, () => over);
    const codes: (number | null)[] = [];
    for (let round = 0; round < 2; round += 1) {
      for (const member of members) codes.push(await member.restart());
    }
    over = true;
    const asked = await asking;
    await waitUntilQuiet(database.orm, await (members[0] as Member).process, taskIds);
    expect(codes).toEqual([0, 0, 0, 0, 0, 0]);
    await checkAccounts(database.orm, begin, followers, asked);
    const { em } = database.orm;
    expect(await rows(em, `select state, attempt from run where state <> 'SUCCEEDED' or attempt <> 1`)).toEqual([]);
    expect(await rows(em, `select type from event where type in ('RETRYING', 'FAILED')`)).toEqual([]);
    const doubled = `select run_id from recorded where what = 'ended' group by run_id having count(*) > 1`;
    expect(await rows(em, doubled)).toEqual([]);
  } finally {
    await Promise.all(followers.map((follower) => follower.stop()));
    await Promise.all(members.map((member) => member.stop()));
  }
});
