// The limits of an operation, checked before it is executed: first those of its document, since parsing and validation
// take longer for a longer document, some validation rules quadratically; then those of what it asks for.
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

/** A GraphQLError, since that is what a GraphQL parser throws. */
function tooComplex(reason: string): GraphQLError {
  return toGraphQLError(tooComplexFault(reason));
}

/** Parses a document. Throws TOO_COMPLEX if it exceeds the limits. */
const parseBounded: typeof parse = (source, options) => {
  const { length } = typeof source === 'string' ? source : source.body;
  if (length > LIMITS.characters) {
    throw tooComplex(`the document must have at most ${LIMITS.characters} characters, got ${length}`);
  }
  try {
    const document = parse(source, { ...options, maxTokens: LIMITS.tokens });
    checkBounds(document);
    return document;
  } catch (error) {
    if (error instanceof GraphQLError && error.message.endsWith('Parsing aborted.')) {
      throw tooComplex(`the document must have at most ${LIMITS.tokens} tokens; pass long lists as variables`);
    }
    // The document is nested so deeply that the parser overflows its stack.
    throw error instanceof RangeError ? tooDeep() : error;
  }
};

function tooDeep(): GraphQLError {
  return tooComplex(`the document must be nested at most ${LIMITS.nesting} levels deep`);
}

function checkBounds(document: DocumentNode): void {
  const { length } = document.definitions;
  if (length > LIMITS.definitions) {
    throw tooComplex(`the document must have at most ${LIMITS.definitions} operations and fragments, got ${length}`);
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
          throw tooComplex(`a selection must have at most ${LIMITS.alike} fields of one name, got ${most}`);
        }
      },
      leave: nested.leave,
    },
    ListValue: nested,
    ObjectValue: nested,
  });
  if (fields > LIMITS.breadth) {
    throw tooComplex(`the document must have at most ${LIMITS.breadth} fields, got ${fields}`);
  }
}

/** How often each field name occurs in a selection. Fields of fragments count in the selection of the fragment. */
function countAlike({ selections }: SelectionSetNode): Iterable<number> {
  const counts = new Map<string, number>([['', 0]]);
  for (const selection of selections) {
    if (selection.kind !== Kind.FIELD) continue;
    const name = (selection.alias ?? selection.name).value;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts.values();
}

/** The validation rules for documents. */
export function rulesOf({ introspection }: LimitOptions) {
  return introspection ? specifiedRules : [...specifiedRules, NoSchemaIntrospectionCustomRule];
}

/** Throws TOO_COMPLEX if a valid operation asks for more than it may. */
export function weigh(
  document: DocumentNode,
  operationName: string | null | undefined,
  variables: Record<string, unknown>,
): void {
  const operation = operationOf(document, operationName);
  if (operation === undefined) return;
  // Of several operations, only the first would be weighed.
  const others = document.definitions.filter(({ kind }) => kind !== Kind.OPERATION_DEFINITION);
  checkWeight(complexityFromQuery({ kind: Kind.DOCUMENT, definitions: [operation, ...others] }, { schema, variables }));
}

export interface LimitOptions {
  introspection: boolean;
  /** If given, only these operations are accepted. */
  operations: PersistedOperations | undefined;
}

/** A parser that enforces all limits of a document. */
export function parserOf({ operations }: LimitOptions): typeof parse {
  if (operations === undefined) return parseBounded;
  return (source, options) => {
    const document = parseBounded(source, options);
    operations.check(document);
    return document;
  };
}

/** Enforces the limits for all operations that Yoga executes. */
export function useLimits(limits: LimitOptions): Plugin<Context> {
  const boundedParse = parserOf(limits);
  const weighed = ({ document, operationName, variableValues, contextValue }: WeighedArgs) => {
    try {
      weigh(document, operationName, variableValues ?? {});
      // Lets the schema skip its own check in each root field.
      contextValue.isWeighed = true;
      return null;
    } catch (error) {
      // Invalid variables are left to the executor, which refuses them.
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
