// The action table: one row an action of the old API, from its parameters to one of our own documents to its reply.
import { executeTask } from './execute-task.ts';
import { data, type Parameter, repeatItems, required } from './input.ts';
import { readHistory, readTasks } from './lists.ts';
import { flag, taskId, text, wholeNumber } from './parameters.ts';
import { type PreparedCall, present } from './prepared-call.ts';
import { listReply, successReply, type TaskName, taskMessage } from './reply.ts';

export interface LegacyAction {
  name: string;
  /** One sentence about what the action does. */
  summary: string;
  /** Whether it does something, so that an Idempotency-Key makes a difference. */
  changes: boolean;
  methods: readonly string[];
  parameters: readonly Parameter[];
  /** A reply of the old page. */
  example: string;
  document: string;
  /** Executes the document and spells the reply. */
  answer(call: PreparedCall, document: string): Promise<string>;
}

const TASK_FIELDS = [
  required('user_id', 'ownerLegacyId', wholeNumber(1)),
  required('name', 'name', text),
  required('class_name', 'className', text),
  data,
  required('active', 'active', flag),
];
const TASK_ID = [required('taskId', 'task', taskId)];

const POST = ['POST'];
const GET_OR_POST = ['GET', 'POST'];

export const ACTIONS: readonly LegacyAction[] = [
  {
    name: 'addTask',
    summary: 'Adds a task.',
    changes: true,
    methods: POST,
    parameters: [...TASK_FIELDS, repeatItems(true)],
    example: String.raw`{"success":1,"message":"Task \"New Task\" (2) added"}`,
    document: 'mutation LegacyAddTask($input: AddTaskInput!) { addTask(input: $input) { task { legacyId name } } }',
    async answer({ query, input }, document) {
      const { addTask } = await query<{ addTask: TaskPayload }>(document, { input });
      return successReply({ message: taskMessage(present(addTask?.task), 'added') });
    },
  },
  {
    name: 'updateTask',
    summary: 'Changes a task. Repeat items, if sent, replace the existing ones.',
    changes: true,
    methods: GET_OR_POST,
    parameters: [required('id', 'task', taskId), ...TASK_FIELDS, repeatItems(false)],
    example: String.raw`{"success":1,"message":"Task \"New Task\" (2) updated"}`,
    document:
      'mutation LegacyUpdateTask($input: UpdateTaskInput!) { updateTask(input: $input) { task { legacyId name } } }',
    async answer({ query, input }, document) {
      const { updateTask } = await query<{ updateTask: TaskPayload }>(document, { input });
      return successReply({ message: taskMessage(present(updateTask?.task), 'updated') });
    },
  },
  {
    name: 'deleteTask',
    summary: 'Deletes a task. Its history stays readable.',
    changes: true,
    methods: GET_OR_POST,
    parameters: TASK_ID,
    example: String.raw`{"success":1,"message":"Task \"New Task\" (2) deleted","data":null}`,
    document:
      'mutation LegacyDeleteTask($input: DeleteTaskInput!) { deleteTask(input: $input) { task { legacyId name } } }',
    async answer({ query, input }, document) {
      const { deleteTask } = await query<{ deleteTask: TaskPayload }>(document, { input });
      return successReply({ message: taskMessage(present(deleteTask?.task), 'deleted'), data: null });
    },
  },
  {
    name: 'executeTask',
    summary: 'Runs a task now, even an inactive one, and returns the result.',
    changes: true,
    methods: GET_OR_POST,
    parameters: TASK_ID,
    example:
      '{"success":1,"message":"Holding tank processed. 0 IPv4 and 0 IPv6 blocks moved to the available pool. ","data":null}',
    document: `mutation LegacyExecuteTask($input: ExecuteTaskInput!) {
  executeTask(input: $input) { run { id state message task { legacyId name } } }
}`,
    answer: executeTask,
  },
  {
    name: 'getTaskHistory',
    summary: 'Lists the history of a task, changes and runs, newest first; at most 100,000 rows.',
    changes: false,
    methods: GET_OR_POST,
    parameters: TASK_ID,
    example: String.raw`{"success":1,"data":[{"log_id":"1005030","time":"2015-05-07 12:28:14","log_level":"6","user_id":"31","username":"usernamehere","log_category":"System","message":"Task \"Process Holding Tank\" (1) added","ip":null}]}`,
    document: `query LegacyTaskHistory($task: TaskBy!, $types: [EventType!], $before: String) {
  events(last: 500, before: $before, filter: { task: $task, types: $types }) {
    edges { node { logId at type message taskName actor { legacyId name } } }
    pageInfo { hasPreviousPage startCursor }
  }
}`,
    async answer({ query, input, timeZone }, document) {
      return listReply(await readHistory(query, document, present(input.task), timeZone));
    },
  },
  {
    name: 'getTasks',
    summary: 'Lists the tasks with their repeat items, by id.',
    changes: false,
    methods: GET_OR_POST,
    parameters: [],
    example: String.raw`{"success":1,"data":[{"id":"1","user_id":"31","name":"Process Holding Tank","class_name":"\\scheduler\\Tasks\\ProcessHoldingTask","active":true,"data":null,"last_run":"2015-05-07 12:29:45","repeat_items":[{"id":"1","task_id":"1","repeat_start":"2015-05-06","repeat_end":null,"repeat_interval":null,"repeat_year":"*","repeat_month":"*","repeat_day":"*","repeat_week":"*","repeat_weekday":"4","repeat_hour":"20","repeat_minute":"0"}]}]}`,
    document: `query LegacyTasks($after: String) {
  tasks(first: 500, after: $after) {
    edges {
      node {
        legacyId name className active dataText lastRunAt
        owner { legacyId }
        repeatItems { legacyId start end intervalDays year month dayOfMonth weekOfMonth dayOfWeek hour minute }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}`,
    answer({ query, timeZone, taskList }, document) {
      return taskList(async () => listReply(await readTasks(query, document, timeZone)));
    },
  },
];

type TaskPayload = { task: TaskName | null } | null;
