import { type DocumentNode, Kind, type OperationDefinitionNode } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Metrics } from '../metrics/metrics.ts';

/** What becomes known of an operation on its way, for those who measure and log it. */
export interface Told {
  /** See `nameOf`; undefined where it was refused before it was executed. */
  operation?: string;
  isSubscription?: boolean;
  /** What its author calls it, where it has a name. */
  operationName?: string | undefined;
  operationType?: 'query' | 'mutation' | 'subscription' | undefined;
  hasErrors?: boolean;
}

/** What is refused before it is executed has this name. */
const REFUSED = 'refused';
const SEVERAL = 'several';

/** The root field that an operation asks for, or that they are several. Of a document that is valid: the schema bounds the names. */
export function nameOf(document: DocumentNode, operationName?: string | null): string {
  const [field, ...others] = operationOf(document, operationName)?.selectionSet.selections ?? [];
  return field?.kind === Kind.FIELD && others.length === 0 ? field.name.value : SEVERAL;
}

/** The operation of that name, or the first one. */
export function operationOf(document: DocumentNode, name?: string | null): OperationDefinitionNode | undefined {
  const operations = document.definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  return name ? operations.find((operation) => operation.name?.value === name) : operations[0];
}

/** Tells of each operation that is executed, where its caller has a place for it. */
export function useOperationNames(): Plugin<{ told?: Told }> {
  return {
    onExecute({ args: { document, operationName, contextValue } }) {
      const { told } = contextValue;
      if (told === undefined) return;
      told.operation = nameOf(document, operationName);
      tellKind(told, document, operationName);
      return {
        onExecuteDone({ result }) {
          told.hasErrors = (result as { errors?: unknown }).errors !== undefined;
        },
      };
    },
    onSubscribe({ args: { document, operationName, contextValue } }) {
      const { told } = contextValue;
      if (told === undefined) return;
      told.isSubscription = true;
      tellKind(told, document, operationName);
    },
  };
}

const MAX_NAME_LENGTH = 100;

export function tellKind(told: Told, document: DocumentNode, operationName?: string | null): void {
  const operation = operationOf(document, operationName);
  told.operationType = operation?.operation;
  told.operationName = operation?.name?.value.slice(0, MAX_NAME_LENGTH);
}

/** Counts an operation that was answered; subscriptions last as long as their clients like. */
export function countOperation(
  metrics: Metrics,
  { operation = REFUSED, isSubscription, hasErrors = true }: Told,
  begin: number,
): void {
  if (!isSubscription) metrics.request('graphql', operation, hasErrors, begin);
}
