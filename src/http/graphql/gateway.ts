import { GraphQLError } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Context } from '../../schema/context.ts';
import { schema } from '../../schema/index.ts';
import type { Services } from '../services.ts';
import type { Caller, Gateway } from './caller.ts';
import { type LimitOptions, useLimits } from './document-limits.ts';
import { hideError, maskError, tellHidden, withCode } from './errors.ts';
import { useOperationNames } from './operation-names.ts';
import { usePersistedOperations } from './persisted-operations.ts';
import { useServerSentEvents } from './server-sent-events.ts';
import { useSubscriptions } from './subscriptions.ts';

/** Creates the context of an operation. */
export function contextFor({ orm, tail, taskFeed, jobs, vault, notifications, taskClasses, settings }: Services) {
  return (caller: Caller, isWeighed = false): Context => ({
    em: orm.em.fork(),
    requestId: caller.requestId,
    log: caller.log,
    span: caller.span,
    // A getter: most reads never use it.
    get viewer() {
      return caller.viewer;
    },
    apiKeyId: caller.apiKeyId,
    apiKey: caller.apiKey,
    origin: caller.origin,
    tail,
    taskFeed,
    jobs,
    vault,
    notifications,
    taskClasses,
    lastEventId: caller.lastEventId,
    opening: caller.opening,
    timeZone: settings.TIME_ZONE,
    isWeighed,
  });
}

export function limitsOf({ settings, operations }: Services): LimitOptions {
  return { introspection: settings.INTROSPECTION === 'on', operations };
}

/** Creates the envelope that executes every operation: over HTTP, SSE, WebSocket and the old API. */
export function createGateway(services: Services): Gateway {
  const { tail, guard } = services;
  const limits = limitsOf(services);
  const operationContext = contextFor(services);
  return createYoga<Caller, Context>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: false,
    cors: false,
    batching: false,
    multipart: false,
    extraParamNames: limits.operations === undefined ? [] : ['documentId'],
    logging: false,
    maskedErrors: { errorMessage: 'unexpected', maskError: hideError },
    // Yoga adds properties to the context, so it must be a plain object without getters.
    context: (caller) => ({ ...operationContext(caller) }),
    plugins: [
      ...(limits.operations === undefined ? [] : [usePersistedOperations(limits.operations)]),
      useLimits(limits),
      useSubscriptions(guard),
      useOperationNames(),
      useServerSentEvents(() => tail.isStopped),
      useErrors(),
      useReadableQueries(),
    ],
  });
}

/** Masks the errors of an execution, and adds a code to those of parsing and validation. */
function useErrors(): Plugin<Context, Caller> {
  return {
    onExecute({ args: { contextValue } }) {
      return {
        onExecuteDone({ result, setResult }) {
          if (!('errors' in result) || result.errors === undefined) return;
          setResult({ ...result, errors: result.errors.map((error) => maskError(error, contextValue)) });
        },
      };
    },
    onResultProcess({ result, serverContext }) {
      const errors = (result as { errors?: readonly unknown[] }).errors ?? [];
      for (const error of errors) {
        if (error instanceof GraphQLError) withCode(error);
        tellHidden(error, serverContext);
      }
    },
  };
}

/** Refuses `variables` and `extensions` of a query string that are not JSON. Yoga would report an internal error. */
function useReadableQueries(): Plugin {
  return {
    onRequestParse({ requestParser, setRequestParser }) {
      if (requestParser === undefined) return;
      setRequestParser(async (request) => {
        try {
          return await requestParser(request);
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
          const message = `variables and extensions must be JSON objects: ${error.message}`;
          throw new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } });
        }
      });
    },
  };
}
