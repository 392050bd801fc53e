// Executes subscriptions: each event once for all subscribers with the same question. A stream that ends early says
// why.
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  executeSubscriptionEvent,
  GraphQLError,
  Kind,
  validateSubscriptionArgs,
  visit,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { type Fault, unauthenticated } from '../../lib/faults.ts';
import { PERSONAL_FIELDS } from '../../schema/access/user.ts';
import type { Context } from '../../schema/context.ts';
import type { StreamGuard } from '../stream-guard.ts';
import { maskError } from './errors.ts';

/** The property of a result with its cursor. JSON omits symbols. */
const CURSOR = Symbol('cursor');

/** The cursor after the event of the result. */
export function cursorOf(result: object): string | undefined {
  return (result as { [CURSOR]?: string })[CURSOR];
}

/** What a subscription field yields. Subscribers that have caught up get the same object. */
interface Payload {
  cursor: string;
}

type Result = ExecutionResult & { [CURSOR]?: string };

/** The results of an event, by question. They are garbage-collected with the event. */
const results = new WeakMap<Payload, Map<string, Promise<Result>>>();

/**
 * Executes subscriptions. An error of the stream, such as CURSOR_EXPIRED in the middle, becomes its last result, so
 * that every transport delivers it.
 */
export function useSubscriptions(guard: StreamGuard): Plugin<Context> {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(((args: ExecutionArgs) => subscribe(args, guard)) as never);
    },
  };
}

async function subscribe(args: ExecutionArgs, guard: StreamGuard) {
  const validated = validateSubscriptionArgs(args);
  if (!('schema' in validated)) return masked({ errors: validated }, context(args));
  const source = await createSourceEventStream(validated);
  if (!(Symbol.asyncIterator in source)) return masked(source, context(args));
  const { viewer } = context(args);
  const { asked, isPersonal } = questionOf(args.document, args.variableValues);
  const question = `${viewer.role} ${isPersonal ? viewer.id : ''} ${args.operationName ?? ''} ${asked}`;
  const execute = async (payload: Payload): Promise<Result> => {
    const result = await executeSubscriptionEvent({ ...validated, rootValue: payload });
    return result.errors === undefined ? { ...result, [CURSOR]: payload.cursor } : masked(result, context(args));
  };
  return resultsOf(source as AsyncIterable<Payload>, context(args), guard, (payload) => {
    const known = results.get(payload) ?? new Map<string, Promise<Result>>();
    results.set(payload, known);
    const result = known.get(question) ?? execute(payload);
    known.set(question, result);
    // A failed result is not kept: the next subscriber tries again.
    result.then(
      ({ errors }) => errors === undefined || known.delete(question),
      () => known.delete(question),
    );
    return result;
  });
}

const context = (args: ExecutionArgs) => args.contextValue as Context;

/** The results of a subscription. `return` ends it at once, even while it waits for an event. */
function resultsOf(
  source: AsyncIterable<Payload>,
  subscriber: Context,
  guard: StreamGuard,
  execute: (payload: Payload) => Promise<Result>,
): AsyncIterableIterator<Result, void, undefined> {
  const { apiKeyId, viewer } = subscriber;
  const payloads = source[Symbol.asyncIterator]();
  const generate = async function* () {
    let revoked: Fault | undefined;
    let release: (() => void) | undefined;
    try {
      release = guard.watch({ apiKeyId, role: viewer.role }, () => {
        revoked = unauthenticated('the key was revoked, or its user was disabled or got another role; sign in again');
        payloads.return?.().catch(() => undefined);
      });
      for (;;) {
        const { done, value } = await payloads.next();
        if (revoked !== undefined) throw revoked;
        if (done) return;
        const result = await execute(value);
        yield result;
        // A failed event ends the stream and has no cursor, so that a client that resumes gets it again.
        if (result.errors !== undefined) return;
      }
    } catch (error) {
      yield masked({ errors: [toGraphQLError(error)] }, subscriber);
    } finally {
      release?.();
      await payloads.return?.();
    }
  };
  // Nothing is acquired before the first `next`, so a transport that refuses to serve the stream leaks nothing.
  const generated = generate();
  return {
    next: () => generated.next(),
    return: async () => {
      await payloads.return?.();
      return generated.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function masked(result: ExecutionResult, scope: Context): ExecutionResult {
  if (result.errors === undefined) return result;
  return { ...result, errors: result.errors.map((error) => maskError(error, scope)) };
}

function toGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  return new GraphQLError('the stream failed', {
    originalError: error instanceof Error ? error : new Error(String(error)),
  });
}

/** Each text is parsed only once, so documents are compared by identity. */
const documentIds = new WeakMap<DocumentNode, { id: number; isPersonal: boolean; cursorVariables: Set<string> }>();
let documentCount = 0;

/**
 * What is asked of each event: the document and its variables, except those that only say where to start; and whether
 * the answer depends on the user.
 */
function questionOf(document: DocumentNode, variables: ExecutionArgs['variableValues']) {
  let known = documentIds.get(document);
  if (known === undefined) {
    documentCount += 1;
    const isPersonal = hasPersonalField(document);
    known = { id: documentCount, isPersonal, cursorVariables: findCursorVariables(document) };
    documentIds.set(document, known);
  }
  const asked = Object.entries(variables ?? {}).filter(([name]) => !known.cursorVariables.has(name));
  const values = JSON.stringify(asked.sort(([left], [right]) => (left < right ? -1 : 1)));
  return { asked: `${known.id} ${values}`, isPersonal: known.isPersonal };
}

function hasPersonalField(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    Field: ({ name }) => {
      found ||= PERSONAL_FIELDS.includes(name.value);
    },
  });
  return found;
}

const ROOT_ARGUMENT = 'after';

/** The variables that are used only as the argument `after` of a root field. */
function findCursorVariables(document: DocumentNode): Set<string> {
  const uses = new Map<string, number>();
  const begins = new Set<string>();
  visit(document, {
    VariableDefinition: () => false,
    Variable: ({ name }) => {
      uses.set(name.value, (uses.get(name.value) ?? 0) + 1);
    },
  });
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const field of definition.selectionSet.selections) {
      if (field.kind !== Kind.FIELD) continue;
      for (const { name, value } of field.arguments ?? []) {
        if (name.value === ROOT_ARGUMENT && value.kind === Kind.VARIABLE) begins.add(value.name.value);
      }
    }
  }
  return new Set([...begins].filter((name) => uses.get(name) === 1));
}
