import { defaultFieldResolver, GraphQLError, type GraphQLSchema } from 'graphql';
import { Fault } from '../lib/faults.ts';

/**
 * The GraphQL error of a fault: with `extensions.code`, and `extensions.field` as one text
 * (`input.repeatItems.0.hour`).
 */
export function toGraphQLError(fault: Fault, located?: GraphQLError): GraphQLError {
  const { code, field, message } = fault;
  const place = located === undefined ? {} : { nodes: located.nodes ?? null, path: located.path };
  const extensions = field.length === 0 ? { code } : { code, field: field.join('.') };
  const error = new GraphQLError(message, { ...place, extensions });
  faults.set(error, fault);
  return error;
}

/** Not `originalError`, which Yoga takes for a failure of the server. */
const faults = new WeakMap<object, Fault>();

/** The fault that an error was made of, for a caller with another way to word it, such as the old API. */
export function faultOf(error: object): Fault | undefined {
  return faults.get(error);
}

/**
 * Adds `input` to the paths of faults, for all mutations: each has one argument, `input`, which the functions that it
 * calls do not know. A fault at `repeatItems.0.hour` becomes one at `input.repeatItems.0.hour`.
 */
export function nameInputOfFaults(schema: GraphQLSchema): void {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
    const { resolve = defaultFieldResolver } = field;
    field.resolve = async (...call) => {
      try {
        return await resolve(...call);
      } catch (error) {
        throw error instanceof Fault && error.field[0] !== INPUT ? error.within(INPUT) : error;
      }
    };
  }
}

const INPUT = 'input';
