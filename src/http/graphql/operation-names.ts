import { type DocumentNode, Kind, type OperationDefinitionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Metrics } from '../../metrics/metrics.ts';

/** What becomes known about an operation while it is processed, for metrics and traces. */
export interface OperationInfo {
  /** See `nameOf`; undefined if the operation was refused before it was executed. */
  operation?: string;
  isSubscription?: boolean;
  /** The name that the document gives it, if any. */
  operationName?: string | undefined;
  operationType?: 'query' | 'mutation' | 'subscription' | undefined;
  hasErrors?: boolean;
}

/** The name of operations that are refused before they are executed. */
const REFUSED = 'refused';
const SEVERAL = 'several';

/** The root field of an operation, or `several`. The document must be valid, so that the schema limits the names. */
export function nameOf(document: DocumentNode, operationName?: string | null): string {
  const [field, ...others] = operationOf(document, operationName)?.selectionSet.selections ?? [];
  return field?.kind === Kind.FIELD && others.length === 0 ? field.name.value : SEVERAL;
}

/** The operation of that name, or the first one. */
export function operationOf(document: DocumentNode, name?: string | null): OperationDefinitionNode | undefined {
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  return name ? operations.find((operation) => operation.name?.value === name) : operations[0];
}

/** Fills the caller's `operationInfo`, if it has one, for each operation that is executed. */
export function useOperationNames(): Plugin<{ operationInfo?: OperationInfo }> {
  return {
    onExecute({ args: { document, operationName, contextValue } }) {
      const { operationInfo } = contextValue;
      if (operationInfo === undefined) return;
      operationInfo.operation = nameOf(document, operationName);
      setKind(operationInfo, document, operationName);
      return {
        onExecuteDone({ result }) {
          operationInfo.hasErrors = (result as { errors?: unknown }).errors !== undefined;
        },
      };
    },
    onSubscribe({ args: { document, operationName, contextValue } }) {
      const { operationInfo } = contextValue;
      if (operationInfo === undefined) return;
      operationInfo.isSubscription = true;
      setKind(operationInfo, document, operationName);
    },
  };
}

const MAX_NAME_LENGTH = 100;

export function setKind(operationInfo: OperationInfo, document: DocumentNode, operationName?: string | null): void {
  const operation = operationOf(document, operationName);
  operationInfo.operationType = operation?.operation;
  operationInfo.operationName = operation?.name?.value.slice(0, MAX_NAME_LENGTH);
}

/** Counts an answered operation. Subscriptions are not counted: the client decides how long they last. */
export function countOperation(
  metrics: Metrics,
  { operation = REFUSED, isSubscription, hasErrors = true }: OperationInfo,
  begin: number,
): void {
  if (!isSubscription) metrics.request('graphql', operation, hasErrors, begin);
}
