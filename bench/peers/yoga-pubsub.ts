// GraphQL Yoga's own in-memory pub/sub under graphql-ws, as its documentation sets it up: nothing is stored.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createSchema, createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';

type Enveloped = Pick<ReturnType<(typeof yoga)['getEnveloped']>, 'execute' | 'subscribe'>;

interface Sent {
  cursor: string;
  type: string;
  message: string;
}

const pubSub = createPubSub<{ sent: [Sent] }>();
const yoga = createYoga({
  logging: false,
  schema: createSchema({
    typeDefs: `
      type Query { nothing: Boolean }
      type Event { cursor: String! type: String! message: String }
      type Subscription { runEvents(run: ID): Event! }
    `,
    resolvers: {
      Subscription: { runEvents: { subscribe: () => pubSub.subscribe('sent'), resolve: (event: Sent) => event } },
    },
  }),
});
// What a client that sends lines of text to `/send` says is published.
const server = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => {
    for (const message of chunk.toString().split('\n').filter(Boolean)) {
      pubSub.publish('sent', { cursor: 'A'.repeat(52), type: 'LOG', message });
    }
  });
  request.on('end', () => response.end());
});
const sockets = new WebSocketServer({ server, path: '/graphql' });
useServer(
  {
    execute: (args) => (args.rootValue as Enveloped).execute(args),
    subscribe: (args) => (args.rootValue as Enveloped).subscribe(args),
    onSubscribe: async (context, _id, params) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...context,
        req: context.extra.request,
        socket: context.extra.socket,
        params,
      });
      const document = parse(params.query);
      const errors = validate(schema, document);
      if (errors.length > 0) return errors;
      return {
        schema,
        document,
        operationName: params.operationName,
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
    },
  },
  sockets,
);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => process.exit());
