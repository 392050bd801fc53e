// The action table: one row an action of the old API, from its parameters to one of our own documents to its reply.

import { LegacyError } from './legacy-error.ts';
import { type LegacyQuery, readHistory, readTasks } from './lists.ts';
import { flag, jsonObject, type ParameterType, readAs, refusal, taskId, text, wholeNumber } from './parameters.ts';
import type { PhpArray } from './php-value.ts';
import { ACCEPTED_ITEMS, REPEAT_ITEMS, type RepeatItemInput, readRepeatItems } from './repeat-items.ts';
import { listReply, successReply, type TaskName, taskMessage } from './reply.ts';

/** What the parameters of a call become: the fields of the mutations' inputs. */
export interface LegacyInput {
  task?: { legacyId: number };
  ownerLegacyId?: number;
  name?: string;
  className?: string;
  dataText?: string | null;
  active?: boolean;
  repeatItems?: RepeatItemInput[];
}

export interface Parameter {
  name: string;
  field: keyof LegacyInput;
  isRequired: boolean;
  accepted: string;
  /** undefined where the call does not send it. Throws a LegacyError for what is not accepted. */
  read(parameters: PhpArray): LegacyInput[keyof LegacyInput];
}

export interface PreparedCall {
  input: LegacyInput;
  timeZone: string;
  executeTimeoutSeconds: number;
  query: LegacyQuery;
}

export interface LegacyAction {
  name: string;
  methods: readonly string[];
  parameters: readonly Parameter[];
  document: string;
  /** Executes the document and spells the reply. */
  answer(call: PreparedCall, document: string): Promise<string>;
}

type FieldValue = NonNullable<LegacyInput[keyof LegacyInput]> | null;

function required(name: string, field: keyof LegacyInput, type: ParameterType<FieldValue>): Parameter {
  const read = (parameters: PhpArray) => {
    const value = parameters.get(name);
    return value === undefined || value === null ? undefined : readAs(type, name, value);
  };
  return { name, field, isRequired: true, accepted: type.accepted, read };
}

/** The old page requires it, and its callers leave it out all the same; null is one of its values. */
const data: Parameter = {
  name: 'data',
  field: 'dataText',
  isRequired: false,
  accepted: jsonObject.accepted,
  read(parameters) {
    const value = parameters.get('data');
    return value === undefined ? undefined : readAs(jsonObject, 'data', value);
  },
};

function repeatItems(isRequired: boolean): Parameter {
  const accepted = ACCEPTED_ITEMS;
  return { name: REPEAT_ITEMS, field: 'repeatItems', isRequired, accepted, read: readRepeatItems };
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
    methods: POST,
    parameters: [...TASK_FIELDS, repeatItems(true)],
    document: 'mutation LegacyAddTask($input: AddTaskInput!) { addTask(input: $input) { task { legacyId name } } }',
    async answer({ query, input }, document) {
      const { addTask } = await query<{ addTask: TaskPayload }>(document, { input });
      return successReply({ message: taskMessage(present(addTask?.task), 'added') });
    },
  },
  {
    name: 'updateTask',
    methods: GET_OR_POST,
    parameters: [required('id', 'task', taskId), ...TASK_FIELDS, repeatItems(false)],
    document:
      'mutation LegacyUpdateTask($input: UpdateTaskInput!) { updateTask(input: $input) { task { legacyId name } } }',
    async answer({ query, input }, document) {
      const { updateTask } = await query<{ updateTask: TaskPayload }>(document, { input });
      return successReply({ message: taskMessage(present(updateTask?.task), 'updated') });
    },
  },
  {
    name: 'deleteTask',
    methods: GET_OR_POST,
    parameters: TASK_ID,
    document:
      'mutation LegacyDeleteTask($input: DeleteTaskInput!) { deleteTask(input: $input) { task { legacyId name } } }',
    async answer({ query, input }, document) {
      const { deleteTask } = await query<{ deleteTask: TaskPayload }>(document, { input });
      return successReply({ message: taskMessage(present(deleteTask?.task), 'deleted'), data: null });
    },
  },
  {
    name: 'executeTask',
    methods: GET_OR_POST,
    parameters: TASK_ID,
    document:
      'mutation LegacyExecuteTask($input: ExecuteTaskInput!) { executeTask(input: $input) { run { state message } } }',
    async answer({ query, input, executeTimeoutSeconds }, document) {
      const variables = { input: { ...input, waitSeconds: executeTimeoutSeconds } };
      const { executeTask } = await query<{ executeTask: RunPayload }>(document, variables);
      const { state, message } = present(executeTask?.run);
      if (state === 'SUCCEEDED') return successReply({ message: message ?? '', data: null });
      throw new LegacyError(unfinished(state, message, executeTimeoutSeconds));
    },
  },
  {
    name: 'getTaskHistory',
    methods: GET_OR_POST,
    parameters: TASK_ID,
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
    methods: GET_OR_POST,
    parameters: [],
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
    async answer({ query, timeZone }, document) {
      return listReply(await readTasks(query, document, timeZone));
    },
  },
];

type TaskPayload = { task: TaskName | null } | null;
type RunPayload = { run: { state: string; message: string | null } | null } | null;

/** A payload is null only together with an error, which `query` has thrown. */
function present<Value>(value: Value | null | undefined): Value {
  if (value === null || value === undefined)
    throw new Error('the document answered neither with a result nor an error');
  return value;
}

function unfinished(state: string, message: string | null, waitedSeconds: number): string {
  if (state === 'FAILED') return message ?? 'The run failed';
  if (state === 'CANCELLED') return message ?? 'The run was cancelled';
  if (state === 'SKIPPED') return message ?? 'The run was skipped';
  return `The run has not finished within ${waitedSeconds} seconds and goes on; getTaskHistory will show how it ends`;
}

/** Throws a LegacyError for the first parameter that is missing or not accepted; unknown ones are ignored. */
export function readInput(action: LegacyAction, parameters: PhpArray): LegacyInput {
  const input: LegacyInput = {};
  for (const parameter of action.parameters) {
    const value = parameter.read(parameters);
    if (value !== undefined) Object.assign(input, { [parameter.field]: value });
    else if (parameter.isRequired) throw refusal(parameter.name, parameters.get(parameter.name), parameter.accepted);
  }
  return input;
}
