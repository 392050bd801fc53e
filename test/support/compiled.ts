// Which of the two ways of executing answers a test's queries: Yoga's, or compiled code.
import { Kind, OperationTypeNode, parse } from 'graphql';
import { inject } from 'vitest';
import { COMPILE_AFTER } from '../../src/http/graphql/compiled-queries.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Whether queries are sent until compiled code answers them. */
    isCompiled: boolean;
  }
}

/** Whether this run of the suite is the one over compiled code. */
export function isCompiledRun(): boolean {
  return inject('isCompiled');
}

/** How often a document is sent before its reply counts: once, or until it is compiled. What changes anything is sent once. */
export function timesToSend(document: string): number {
  return isCompiledRun() && isQuery(document) ? COMPILE_AFTER : 1;
}

function isQuery(document: string): boolean {
  try {
    return parse(document).definitions.every(
      (node) => node.kind !== Kind.OPERATION_DEFINITION || node.operation === OperationTypeNode.QUERY,
    );
  } catch {
    return false;
  }
}
