// The tasks of a dump: each kind of rule, and each policy in a state that an upgrade may find it in.
import { HOLDING } from '../support/app.ts';
import type { Behaviour } from '../support/receiver.ts';

const HTTP = '\\scheduler\\Tasks\\HttpRequestTask';

/** What the tasks that call a URL find there. */
export const BEHAVIOURS: Record<string, Behaviour> = {
  '/missing': (response) => response.writeHead(404).end(),
  '/busy': (response) => response.writeHead(503).end(),
  // Until the caller gives up.
  '/never': () => undefined,
};

/** Of those that are due often; what goes on for ever is rare enough that years of slots are caught up with in no time. */
const UNTIL_TODAY = { minute: null, end: new Date().toISOString().slice(0, 10) };

export const EDITED = 'Edited "ä€𝄞"\n\t\\';

/** As the input of addTask. `receiver` is where the behaviours are. */
export function tasksOf(receiver: string): { name: string; [key: string]: unknown }[] {
  const holding = { className: HOLDING, data: { holding_days: 30 } };
  const call = (path: string) => ({ className: HTTP, data: { url: `${receiver}${path}`, timeout_seconds: 600 } });
  const often = [UNTIL_TODAY];
  return [
    { name: 'Daily', ...holding, repeatItems: [{ hour: 5, minute: 15 }] },
    {
      name: 'All kinds of rules',
      ...holding,
      timeZone: 'Europe/Berlin',
      repeatItems: [
        { dayOfWeek: 4, hour: 20 },
        { dayOfWeek: 0, weekOfMonth: 2, hour: 2, minute: 30 },
        { dayOfMonth: 31, hour: 0, minute: 59 },
        { month: 2, dayOfMonth: 29, hour: 12 },
        { intervalDays: 3, start: '2026-01-01', hour: 4 },
        { year: 2030, month: 1, dayOfMonth: 1, hour: 0 },
        { hour: 3, start: '2026-02-01', end: '2026-02-10' },
      ],
    },
    { name: 'Often', ...holding, repeatItems: often },
    { name: 'Often, none caught up', ...holding, repeatItems: often, policy: { catchUp: 'NONE' } },
    {
      name: 'Often, of late alone',
      ...holding,
      repeatItems: often,
      policy: { catchUp: 'ALL', catchUpMaxAgeSeconds: 600, overlap: 'QUEUE', queueLimit: 5 },
    },
    {
      name: 'Often, one at a time',
      ...call('/never'),
      repeatItems: often,
      policy: { catchUp: 'ALL', catchUpMaxAgeSeconds: 300, overlap: 'SKIP' },
    },
    {
      name: 'Hourly, the last one wins',
      ...call('/never'),
      repeatItems: [{ minute: 0 }],
      policy: { catchUp: 'ALL', catchUpMaxAgeSeconds: 14_400, overlap: 'CANCEL_RUNNING' },
    },
    { name: 'Works', ...call('/works'), repeatItems: [{ hour: 6 }] },
    { name: 'Fails', ...call('/missing'), repeatItems: [{ dayOfWeek: 1, hour: 6 }] },
    { name: 'Is tried again', ...call('/busy'), policy: { retry: { attempts: 5, delaySeconds: 3_600 } } },
    { name: 'Is under way', ...call('/never'), policy: { overlap: 'QUEUE', timeoutSeconds: 3_600 } },
    { name: 'Paused', ...holding, repeatItems: [{ minute: 30 }] },
    { name: 'Deleted', ...holding, repeatItems: [{ minute: 45 }] },
    { name: EDITED, ...holding, repeatItems: [{ hour: 1 }] },
  ];
}
