import { describe, expect, test } from 'vitest';
import { type CallHost, handleLegacyCall } from '../../src/legacy/adapter.ts';
import type { GraphQLErrorLike } from '../../src/legacy/failures.ts';
import { ParsedCall, parseAddress } from '../../src/legacy/parsed-call.ts';

interface Answer {
  data?: unknown;
  errors?: GraphQLErrorLike[];
}

interface Executed {
  document: string;
  variables: Record<string, unknown>;
}

/** Of tasks that were not imported. */
const NONE_IMPORTED = {
  data: { importedLog: { edges: [], pageInfo: { hasPreviousPage: false, startCursor: null } } },
};

interface Sent {
  imported?: Answer;
  method?: string;
  contentType?: string;
  body?: Buffer | null;
  timeZone?: string;
}

const callOf = (query: string, sent: ConstructorParameters<typeof ParsedCall>[1]) =>
  new ParsedCall(parseAddress(`/api/v1/api.php?${query}`), sent);

/** A call whose documents get these answers, one after the other; nothing was imported unless `imported` says so. */
function prepare(
  query: string,
  answers: Answer[],
  { imported = NONE_IMPORTED, method, contentType, body = null, timeZone = 'UTC' }: Sent = {},
) {
  const executed: Executed[] = [];
  const call = callOf(query, { method: method ?? (body === null ? 'GET' : 'POST'), contentType, body });
  const host: CallHost = {
    timeZone,
    executeTimeoutSeconds: 50,
    replies: { find: async () => null, save: async (_key, _fingerprint, reply) => reply },
    taskList: (build) => build(),
    async execute(document, variables) {
      if (document.includes('importedLog')) return imported;
      executed.push({ document, variables });
      const answer = answers[executed.length - 1];
      if (answer === undefined) throw new Error('one document too many');
      return answer;
    },
  };
  return { reply: async () => (await handleLegacyCall(call, host)).body, executed };
}

function answer(query: string, answers: Answer[], rest?: Sent): Promise<string> {
  return prepare(query, answers, rest).reply();
}

const failure = (message: string) => JSON.stringify({ success: 0, message });
const post = (body: string | Buffer, contentType = 'application/json') => ({ body: Buffer.from(body), contentType });

const scheduler = (rest: string) => `target=scheduler&action=${rest}`;
const TASK =
  '{"user_id":31,"name":"New \\"Task\\"/é","class_name":"c","active":true,"repeat_items":[{"repeat_hour":8}]}';

describe('replies are those of the old page, byte for byte', () => {
  test('addTask', async () => {
    const answers = [{ data: { addTask: { task: { legacyId: 2, name: 'New "Task"/é' } } } }];
    expect(await answer(scheduler('addTask'), answers, post(TASK))).toBe(
      '{"success":1,"message":"Task \\"New \\"Task\\"\\/\\u00e9\\" (2) added"}',
    );
  });

  test('updateTask', async () => {
    const answers = [{ data: { updateTask: { task: { legacyId: 2, name: 'n' } } } }];
    const query = scheduler('updateTask&id=2&user_id=31&name=n&class_name=c&active=1');
    expect(await answer(query, answers)).toBe('{"success":1,"message":"Task \\"n\\" (2) updated"}');
  });

  test('deleteTask', async () => {
    const answers = [{ data: { deleteTask: { task: { legacyId: 2, name: 'New Task' } } } }];
    expect(await answer(scheduler('deleteTask&taskId=2'), answers)).toBe(
      '{"success":1,"message":"Task \\"New Task\\" (2) deleted","data":null}',
    );
  });

  test('executeTask', async () => {
    const message = 'Holding tank processed. 0 IPv4 and 0 IPv6 blocks moved to the available pool. ';
    const { reply, executed } = prepare(scheduler('executeTask&taskId=1'), [
      { data: { executeTask: { run: { state: 'SUCCEEDED', message } } } },
    ]);
    expect(await reply()).toBe(`{"success":1,"message":"${message}","data":null}`);
    expect(executed[0]?.variables).toEqual({ input: { task: { legacyId: 1 }, waitSeconds: 50 } });
  });

  test('getTaskHistory', async () => {
    const actor = { legacyId: 31, name: 'usernamehere' };
    const taskName = 'Process Holding Tank';
    const message = 'Holding tank processed. 0 IPv4 and 0 IPv6 blocks moved to the available pool. ';
    const nodes = [
      { logId: 1005030, at: '2015-05-07T12:28:14.999Z', type: 'TASK_ADDED', message: null, taskName, actor },
      { logId: '1005037', at: '2015-05-07T12:29:45.000Z', type: 'SUCCEEDED', message, taskName, actor },
    ];
    expect(await answer(scheduler('getTaskHistory&taskId=1'), [historyPage(nodes)])).toBe(
      '{"success":1,"data":[{"log_id":"1005037","time":"2015-05-07 12:29:45","log_level":"6","user_id":"31",' +
        '"username":"usernamehere","log_category":"System","message":"task_id=1 task=Process Holding Tank action=finished ' +
        'message=Holding tank processed. 0 IPv4 and 0 IPv6 blocks moved to the available pool.","ip":null},' +
        '{"log_id":"1005030","time":"2015-05-07 12:28:14","log_level":"6","user_id":"31","username":"usernamehere",' +
        '"log_category":"System","message":"Task \\"Process Holding Tank\\" (1) added","ip":null}]}',
    );
  });

  test('getTasks', async () => {
    const item = { legacyId: 1, start: '2015-05-06', end: null, intervalDays: null, year: null, month: null };
    const task = {
      legacyId: 1,
      name: 'Process Holding Tank',
      className: '\\scheduler\\Tasks\\ProcessHoldingTask',
      active: true,
      dataText: null,
      lastRunAt: '2015-05-07T12:29:45.000Z',
      owner: { legacyId: 31 },
      repeatItems: [{ ...item, dayOfMonth: null, weekOfMonth: null, dayOfWeek: 4, hour: 20, minute: 0 }],
    };
    const never = {
      ...task,
      legacyId: 2,
      lastRunAt: null,
      dataText: '{"b":1.0,"a":{}}',
      active: false,
      repeatItems: [],
    };
    expect(await answer(scheduler('getTasks'), [tasksPage([task, never])])).toBe(
      '{"success":1,"data":[{"id":"1","user_id":"31","name":"Process Holding Tank",' +
        '"class_name":"\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask","active":true,"data":null,' +
        '"last_run":"2015-05-07 12:29:45","repeat_items":[{"id":"1","task_id":"1","repeat_start":"2015-05-06",' +
        '"repeat_end":null,"repeat_interval":null,"repeat_year":"*","repeat_month":"*","repeat_day":"*",' +
        '"repeat_week":"*","repeat_weekday":"4","repeat_hour":"20","repeat_minute":"0"}]},' +
        '{"id":"2","user_id":"31","name":"Process Holding Tank",' +
        '"class_name":"\\\\scheduler\\\\Tasks\\\\ProcessHoldingTask","active":false,"data":{"b":1,"a":[]},' +
        '"last_run":null,"repeat_items":[]}]}',
    );
  });

  test('an empty list', async () => {
    expect(await answer(scheduler('getTasks'), [tasksPage([])])).toBe('{"success":1,"data":[]}');
  });
});

function historyPage(nodes: object[], before: string | null = null): Answer {
  const pageInfo = { hasPreviousPage: before !== null, startCursor: before };
  return { data: { events: { edges: nodes.map((node) => ({ node })), pageInfo } } };
}

function tasksPage(nodes: object[], after: string | null = null): Answer {
  const pageInfo = { hasNextPage: after !== null, endCursor: after };
  return { data: { tasks: { edges: nodes.map((node) => ({ node })), pageInfo } } };
}

describe('the history', () => {
  const event = { logId: '7', at: '2026-07-01T12:00:00.000Z', message: 'Text  ', taskName: 'a\nb', actor: null };
  const messageOf = async (type: string) => {
    const reply = await answer(scheduler('getTaskHistory&taskId=4'), [historyPage([{ ...event, type }])], {
      timeZone: 'Europe/Berlin',
    });
    return JSON.parse(reply).data[0];
  };

  test.each([
    ['TASK_UPDATED', '6', 'Task "a\nb" (4) updated'],
    ['TASK_PAUSED', '6', 'Task "a\nb" (4) updated'],
    ['TASK_RESUMED', '6', 'Task "a\nb" (4) updated'],
    ['TASK_DELETED', '6', 'Task "a\nb" (4) deleted'],
    ['FAILED', '3', 'task_id=4 task=a\nb action=failed message=Text'],
    ['CANCELLED', '6', 'task_id=4 task=a\nb action=cancelled message=Text'],
  ])('has %s at level %s, on the clock of the zone', async (type, log_level, message) => {
    const user = { user_id: null, username: null };
    expect(await messageOf(type)).toMatchObject({ log_level, message, time: '2026-07-01 14:00:00', ...user });
  });

  test('is read to its end, newest page first', async () => {
    const row = (logId: string) => ({ ...event, logId, type: 'SUCCEEDED' });
    const pages = [historyPage([row('3'), row('4')], 'c3'), historyPage([row('1'), row('2')])];
    const { reply, executed } = prepare(scheduler('getTaskHistory&taskId=4'), pages);
    const ids = JSON.parse(await reply()).data.map(({ log_id }: { log_id: string }) => log_id);
    expect(ids).toEqual(['4', '3', '2', '1']);
    expect(executed.map(({ variables }) => variables.before)).toEqual([null, 'c3']);
  });

  test('has what came in with the task among its own rows, by their times, and as it came', async () => {
    const old = (logId: string, at: string) => {
      const rest = { level: '4', category: 'Other', message: ' x ', userLegacyId: 9, username: 'n', ip: '192.0.2.1' };
      return { node: { logId, at, ...rest } };
    };
    const edges = [
      old('1', '2026-07-01T11:59:59.000Z'),
      old('2', '2026-07-01T12:00:00.000Z'),
      old('3', '2026-07-02T00:00:00.000Z'),
    ];
    const imported = { data: { importedLog: { ...NONE_IMPORTED.data.importedLog, edges } } };
    const own = [historyPage([{ ...event, type: 'SUCCEEDED' }])];
    const { data } = JSON.parse(await answer(scheduler('getTaskHistory&taskId=4'), own, { imported }));
    expect(data.map((row: { log_id: string }) => row.log_id)).toEqual(['3', '7', '2', '1']);
    expect(JSON.stringify(data[0])).toBe(
      '{"log_id":"3","time":"2026-07-02 00:00:00","log_level":"4","user_id":"9","username":"n","log_category":"Other","message":" x ","ip":"192.0.2.1"}',
    );
    const alone = JSON.parse(await answer(scheduler('getTaskHistory&taskId=4'), [historyPage([])], { imported }));
    expect(alone.data).toHaveLength(3);
  });

  test('of a task that never was is an error, and of one without any events an empty list', async () => {
    const query = scheduler('getTaskHistory&taskId=99');
    const missing = failure('taskId: no task has the id 99');
    expect(await answer(query, [historyPage([]), { data: { task: null } }])).toBe(missing);
    expect(await answer(query, [historyPage([]), { data: { task: { legacyId: 99 } } }])).toBe(
      '{"success":1,"data":[]}',
    );
  });
});

test('getTasks reads every page', async () => {
  const task = {
    name: 'n',
    className: 'c',
    active: true,
    dataText: null,
    lastRunAt: null,
    owner: null,
    repeatItems: [],
  };
  const pages = [tasksPage([{ ...task, legacyId: 1 }], 'c1'), tasksPage([{ ...task, legacyId: 2 }])];
  const { reply, executed } = prepare(scheduler('getTasks'), pages);
  expect(JSON.parse(await reply()).data).toHaveLength(2);
  expect(executed.map(({ variables }) => variables)).toEqual([{ after: null }, { after: 'c1' }]);
});

test.each([
  ['FAILED', 'No such location', 'No such location'],
  ['CANCELLED', null, 'The run is CANCELLED'],
])('executeTask answers a run that is %s with an error', async (state, message, expected) => {
  const answers = [{ data: { executeTask: { run: { state, message } } } }];
  expect(await answer(scheduler('executeTask&taskId=1'), answers)).toBe(failure(expected));
});

test.each([
  ['RUNNING', [], 'is not finished yet and goes on'],
  ['QUEUED', [{ data: { task: { hasRunner: true } } }], 'is not finished yet and goes on'],
  ['QUEUED', [{ data: { task: { hasRunner: false } } }], 'waits for a live runner that has its class'],
])('executeTask answers a run that is still %s with its name', async (state, more, how) => {
  const run = { id: 'UnVuOjc=', state, message: null, task: { legacyId: 1, name: 'n' } };
  const message = `Run UnVuOjc= of task "n" (1) ${how}; getTaskHistory tells how it ends`;
  expect(await answer(scheduler('executeTask&taskId=1'), [{ data: { executeTask: { run } } }, ...more])).toBe(
    JSON.stringify({ success: 1, message, data: null }),
  );
});

describe('a call is found', () => {
  const answers = [tasksPage([])];
  test.each([
    'target=scheduler&action=getTasks',
    'target=SCHEDULER&action=GETTASKS',
    'action=gettasks&target=Scheduler&unknown[]=1',
    'target=x&target=scheduler&action=getTasks&apiKey=k&hash=h&target=y',
    'target=scheduler&action=getTasks#&action=deleteTask',
  ])('%s', async (query) => {
    expect(await answer(query, answers)).toBe('{"success":1,"data":[]}');
  });

  const names = 'addTask, updateTask, deleteTask, executeTask, getTaskHistory, getTasks';
  test.each([
    ['', `target: must be scheduler, with the actions ${names}, got nothing`],
    ['hash=h&target=scheduler&action=getTasks', `target: must be scheduler, with the actions ${names}, got nothing`],
    ['target=ipam&action=get', `target: must be scheduler, with the actions ${names}, got "ipam"`],
    ['target=scheduler', `action: must be one of ${names}, got nothing`],
    ['target=scheduler&action=executeTas%E2%84%AA', `action: must be one of ${names}, got "executeTas\u212a"`],
    ['target=scheduler&action[]=getTasks', `action: must be one of ${names}, got an object or array`],
  ])('or the actions are listed: %s', async (query, message) => {
    expect(JSON.parse(await answer(query, []))).toEqual({ success: 0, message });
  });

  test('and its method is checked', async () => {
    expect(await answer(scheduler('addTask'), [])).toBe(failure('addTask: the method must be POST, got GET'));
    for (const method of ['HEAD', 'OPTIONS', 'PUT']) {
      const message = `deleteTask: the method must be GET or POST, got ${method}`;
      expect(await answer(scheduler('deleteTask&taskId=1'), [], { method })).toBe(failure(message));
    }
  });
});

describe('a body', () => {
  const inputOf = async (body: string | Buffer, contentType: string, query = scheduler('deleteTask&taskId=1')) => {
    const payload = { task: { legacyId: 1, name: 'n' } };
    const answers = [{ data: { deleteTask: payload, updateTask: payload } }];
    const { reply, executed } = prepare(query, answers, post(body, contentType));
    const text = await reply();
    return executed[0]?.variables.input ?? JSON.parse(text).message;
  };
  const FORM = 'application/x-www-form-urlencoded';
  const boundary = (rest = '') => `multipart/form-data; boundary=X${rest}`;
  const part = (headers: string, value: string) =>
    `--X\r\nContent-Disposition: form-data; ${headers}\r\n\r\n${value}\r\n`;

  test.each([
    ['a form', 'taskId=7', FORM],
    ['a form with a charset', 'taskId=7', `${FORM}; charset=UTF-8`],
    ['JSON', '{"taskId":7}', 'application/json'],
    ['JSON sent as a form', ' \r\n{"taskId":"7"}', FORM],
    ['JSON after a byte order mark', '\ufeff {"taskId":7}\n', 'text/plain'],
    ['a multipart form', `${part('name="taskId"', '7')}--X--\r\n`, boundary()],
    [
      'a multipart form with a file',
      `${part('name="taskId"', '7')}${part('name="taskId"; filename="f"', '9')}--X--\r\n`,
      boundary(),
    ],
    [
      'a multipart form with types',
      `${part('name=taskId\r\nContent-Type: text/plain; charset=utf-16', '7')}--X--`,
      boundary(' '),
    ],
  ])('is read as %s and wins over the query', async (_, body, contentType) => {
    expect(await inputOf(body, contentType)).toEqual({ task: { legacyId: 7 } });
  });

  test('that is empty is none', async () => {
    for (const body of ['', ' \n']) expect(await inputOf(body, 'application/json')).toEqual({ task: { legacyId: 1 } });
  });

  test('cannot change the target and the action of a query that has them', async () => {
    const body = 'target=ipam&action=getTasks&taskId=7';
    expect(await inputOf(body, FORM)).toEqual({ task: { legacyId: 7 } });
    expect(await inputOf('target=scheduler&action=deleteTask&taskId=7', FORM, '')).toEqual({ task: { legacyId: 7 } });
  });

  test.each([
    ['[1]', 'application/json', 'the body must be a single JSON object'],
    ['{"a":', 'application/json', 'the body must be a single JSON object: not JSON from character 6 on'],
    ['x', 'text/plain', 'the type of the body must be application/json,'],
    ['a', 'multipart/form-data', 'the multipart body cannot be read: '],
    ['a', boundary(), 'the multipart body cannot be read: '],
    [part('name="taskId"', '7'), boundary(), 'the multipart body cannot be read: '],
    [`a=1&`.repeat(1001), FORM, 'the call must have at most 1000 parameters'],
    [`${part('name="a"', '7').repeat(1001)}--X--`, boundary(), 'the call must have at most 1000 parameters'],
  ])('that cannot be read is an error: %.20j', async (body, contentType, message) => {
    expect(await inputOf(body, contentType)).toContain(message);
  });

  test('of bytes that are not UTF-8 is an error where they are used', async () => {
    expect(await inputOf(Buffer.from('{"a":"\xff"}', 'latin1'), FORM)).toContain('bytes that are not UTF-8');
    expect(await inputOf(Buffer.from(`${part('name="taskId"', '\xff')}--X--`, 'latin1'), boundary())).toContain(
      ', got bytes that are not UTF-8',
    );
  });

  test('of many megabytes is read whole', async () => {
    const name = 'é'.repeat(2_000_000);
    const query = scheduler('updateTask&id=1&user_id=1&class_name=c&active=0');
    expect(await inputOf(`${part('name="name"', name)}--X--`, boundary(), query)).toMatchObject({ name });
  });
});

describe('an error of our own API is reported in the words of the old one', () => {
  const told = async (error: GraphQLErrorLike, query: string, body?: string) => {
    const rest = body === undefined ? {} : post(body);
    return JSON.parse(await answer(scheduler(query), [{ data: null, errors: [error] }], rest)).message;
  };
  const input = (field: string, reason: string, code = 'BAD_USER_INPUT'): GraphQLErrorLike => ({
    message: `${field}: ${reason}`,
    extensions: { code, field },
    reason,
  });

  test('about a parameter', async () => {
    const fault = input('input.name', 'must have 1 to 255 characters, got 300');
    const expected = 'name: must have 1 to 255 characters, got 300; sent "New \\"Task\\"/é"';
    expect(await told(fault, 'addTask', TASK)).toBe(expected);
  });

  test('about a field of a repeat item, wherever it was sent', async () => {
    const message = 'dayOfMonth is 30; no date has it together with month 2';
    const fault = input('input.repeatItems.0.dayOfMonth', message);
    const translated = 'repeat_day is 30; no date has it together with repeat_month 2';
    expect(await told(fault, 'addTask', TASK)).toBe(`repeat_items[0][repeat_day]: ${translated}`);
    const beside = TASK.replace('"repeat_items":[{"repeat_hour":8}]', '"repeat_day":30');
    expect(await told(fault, 'addTask', beside)).toBe(`repeat_day: ${translated}`);
  });

  test('about a key of the data', async () => {
    const sent = TASK.replace(/\}$/, ',"data":{"keep":-1}}');
    const fault = input('input.data.keep', 'must be a whole number from 1');
    expect(await told(fault, 'addTask', sent)).toBe('data[keep]: must be a whole number from 1; sent -1');
  });

  test('about a task or a user that is not there', async () => {
    const absent = input('input.task', 'there is no task 99', 'NOT_FOUND');
    expect(await told(absent, 'deleteTask&taskId=99')).toBe('taskId: no task has the id 99');
    const owner = input('input.ownerLegacyId', 'there is no user 31', 'NOT_FOUND');
    expect(await told(owner, 'addTask', TASK)).toBe('user_id: no user has the id 31');
  });

  test('about a right', async () => {
    const message = 'only an admin may change the task of another';
    expect(await told({ message, extensions: { code: 'FORBIDDEN' } }, 'deleteTask&taskId=9')).toBe(message);
    const reason = 'only an admin may name an owner other than themselves (2), got 31';
    const owner = input('input.ownerLegacyId', reason, 'FORBIDDEN');
    expect(await told(owner, 'addTask', TASK)).toBe(`user_id: ${reason}`);
  });

  test('but what the caller cannot mend is thrown', async () => {
    const masked = { message: 'Unexpected error.', extensions: { code: 'INTERNAL_SERVER_ERROR' } };
    await expect(answer(scheduler('getTasks'), [{ data: null, errors: [masked] }])).rejects.toThrow(
      'Unexpected error.',
    );
    await expect(answer(scheduler('deleteTask&taskId=1'), [{ data: { deleteTask: null } }])).rejects.toThrow();
  });
});

describe('credentials', () => {
  const read = (query: string, body?: string) => {
    const contentType = 'application/x-www-form-urlencoded';
    const method = body === undefined ? 'GET' : 'POST';
    return callOf(query, {
      method,
      contentType,
      body: body === undefined ? null : Buffer.from(body),
    }).credentials();
  };

  test('come from the query, where it has them', async () => {
    const expected = { apiKey: 'k', hash: 'h%2B', signed: 'a=1&apiKey=k' };
    expect(await read('a=1&apiKey=k&hash=h%2B&apiKey=x', 'apiKey=y&hash=z')).toEqual(expected);
  });

  test('come from the body otherwise', async () => {
    expect(await read('a=1&apiKey=k', 'apiKey=y&hash=z')).toEqual({ apiKey: 'k', hash: 'z', signed: 'a=1&apiKey=k' });
    expect(await read('a=1')).toEqual({ apiKey: null, hash: null, signed: 'a=1' });
  });

  test('are none in a body that cannot be read', async () => {
    expect(await read('a=1', '{"apiKey":')).toEqual({ apiKey: null, hash: null, signed: 'a=1' });
  });

  test('are of a body that is parsed once for them and for the parameters', async () => {
    const body = Buffer.from('{"apiKey":"k","hash":"h","taskId":7}');
    const call = callOf('a=1', { method: 'POST', contentType: 'application/json', body });
    expect(await call.credentials()).toEqual({ apiKey: 'k', hash: 'h', signed: 'a=1' });
    body.fill('x');
    expect((await call.parameters()).get('taskId')).toBe(7n);
  });

  test('are none that the hash before them covers', async () => {
    expect(await read('hash=h&apiKey=k')).toEqual({ apiKey: null, hash: 'h', signed: '' });
  });
});
