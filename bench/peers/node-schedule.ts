// node-schedule alone: timers in memory, nothing on record.
import nodeSchedule from 'node-schedule';
import { Lateness, patternOf, readOrder, tell } from './protocol.ts';

const order = readOrder();
const lateness = new Lateness(order);
for (let key = 0; key < order.count; key += 1) {
  nodeSchedule.scheduleJob({ rule: patternOf(order), tz: 'UTC' }, () => lateness.begun());
}
process.stdout.write('ready\n');
tell(await lateness.measured());
process.exit();
