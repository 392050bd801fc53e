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

/**
 * How often a document is sent before its reply counts: once, or until compiled code answers it. Documents that change
 * something are sent once.
 */
export function timesToSend(document: string): number {
  return isCompiled(document) ? COMPILE_AFTER : 1;
}

/** Whether compiled code is to answer the document in this run of the suite. */
export function isCompiled(document: string): boolean {
  return inject('isCompiled') && isQuery(document);
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
