// What bounds an operation before it is done: first its document, since parsing and validating cost more the longer it is,
// and some rules of validation the square of it; then what it asks for.
import { complexityFromQuery } from '@pothos/plugin-complexity';
import {
  type DocumentNode,
  GraphQLError,
  Kind,
  NoSchemaIntrospectionCustomRule,
  parse,
  type SelectionSetNode,
  specifiedRules,
  visit,
} from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { tooComplex as tooComplexFault } from '../../lib/faults.ts';
import { checkWeight, LIMITS } from '../../schema/complexity.ts';
import type { Context } from '../../schema/context.ts';
import { toGraphQLError } from '../../schema/errors.ts';
import { schema } from '../../schema/index.ts';
import { operationOf } from './operation-names.ts';
import type { PersistedOperations } from './persisted-operations.ts';

/** A parser throws what GraphQL's own throws. */
function tooComplex(reason: string): GraphQLError {
  return toGraphQLError(tooComplexFault(reason));
}

/** Parses a document within its limits; TOO_COMPLEX for one beyond them. */
const parseBounded: typeof parse = (source, options) => {
  const { length } = typeof source === 'string' ? source : source.body;
  if (length > LIMITS.characters) {
    throw tooComplex(`the document has ${length} characters; accepted are up to ${LIMITS.characters}`);
  }
  try {
    const document = parse(source, { ...options, maxTokens: LIMITS.tokens });
    checkBounds(document);
    return document;
  } catch (error) {
    if (error instanceof GraphQLError && error.message.endsWith('Parsing aborted.')) {
      throw tooComplex(`the document has more than ${LIMITS.tokens} tokens; values that are many belong in variables`);
    }
    // Deeper than the parser can go.
    throw error instanceof RangeError ? tooDeep() : error;
  }
};

function tooDeep(): GraphQLError {
  return tooComplex(`the document is nested deeper than the accepted ${LIMITS.nesting} levels`);
}

function checkBounds(document: DocumentNode): void {
  const { length } = document.definitions;
  if (length > LIMITS.definitions) {
    throw tooComplex(`the document has ${length} operations and fragments; accepted are up to ${LIMITS.definitions}`);
  }
  let fields = 0;
  let depth = 0;
  const nested = {
    enter: () => {
      depth += 1;
      if (depth > LIMITS.nesting) throw tooDeep();
    },
    leave: () => {
      depth -= 1;
    },
  };
  visit(document, {
    SelectionSet: {
      enter(node) {
        nested.enter();
        fields += node.selections.length;
        const most = Math.max(...countAlike(node));
        if (most > LIMITS.alike) {
          throw tooComplex(`a selection has ${most} fields of one name; accepted are up to ${LIMITS.alike}`);
        }
      },
      leave: nested.leave,
    },
    ListValue: nested,
    ObjectValue: nested,
  });
  if (fields > LIMITS.breadth) {
    throw tooComplex(`the document has ${fields} fields; accepted are up to ${LIMITS.breadth}`);
  }
}

/** How often each name is in a selection; those of its fragments are counted there. */
function countAlike({ selections }: SelectionSetNode): Iterable<number> {
  const counts = new Map<string, number>([['', 0]]);
  for (const selection of selections) {
    if (selection.kind !== Kind.FIELD) continue;
    const name = (selection.alias ?? selection.name).value;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts.values();
}

/** The rules that documents are validated by. */
export function rulesOf({ introspection }: LimitOptions) {
  return introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
}

/** Throws TOO_COMPLEX where a valid operation asks for more than it may. */
export function weigh(
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Record<string, unknown>,
): void {
  const operation = operationOf(document, operationName);
  if (operation === undefined) return;
  // Of several, the first one would be looked at.
  const others = document.definitions.filter(({ kind }) => kind !== Kind.OPERATION_DEFINITION);
  checkWeight(complexityFromQuery({ kind: Kind.DOCUMENT, definitions: [operation, ...others] }, { schema, variables }));
}

export interface LimitOptions {
  introspection: boolean;
  /** Accepts no others, if given. */
  operations: PersistedOperations | undefined;
}

/** What parses documents within all limits. */
export function parserOf({ operations }: LimitOptions): typeof parse {
  if (operations === undefined) return parseBounded;
  return (source, options) => {
    const document = parseBounded(source, options);
    operations.check(document);
    return document;
  };
}

/** The same limits for all that goes through Yoga. */
export function useLimits(limits: LimitOptions): Plugin<Context> {
  const boundedParse = parserOf(limits);
  const weighed = ({ document, operationName, variableValues, contextValue }: WeighedArgs) => {
    try {
      weigh(document, operationName, variableValues ?? {});
      // The schema's own check of it, in each field of the root, has nothing left to do.
      contextValue.isWeighed = true;
      return null;
    } catch (error) {
      // Variables that are none are the executor's to refuse.
      return error instanceof GraphQLError && error.extensions.code === 'TOO_COMPLEX' ? { errors: [error] } : null;
    }
  };
  return {
    onParse({ setParseFn }) {
      setParseFn(boundedParse);
    },
    onValidate({ addValidationRule }) {
      if (!limits.introspection) addValidationRule(NoSchemaIntrospectionCustomRule);
    },
    onExecute({ args, setResultAndStopExecution }) {
      const refused = weighed(args as WeighedArgs);
      if (refused !== null) setResultAndStopExecution(refused);
    },
    onSubscribe({ args, setResultAndStopExecution }) {
      const refused = weighed(args as WeighedArgs);
      if (refused !== null) setResultAndStopExecution(refused);
    },
  };
}

interface WeighedArgs {
  document: DocumentNode;
  operationName?: string | null;
  variableValues?: Record<string, unknown> | null;
  contextValue: Context;
}
