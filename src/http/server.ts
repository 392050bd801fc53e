import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { DatabaseReplyStore } from '../legacy/storage/reply-store.ts';
import { TaskListCache } from '../legacy/storage/task-list-cache.ts';
import { UsageCounts } from '../legacy/storage/usage-counts.ts';
import { codeOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { createCredentialThrottle } from './credential-throttle.ts';
import { dashboardPlugin } from './dashboard.ts';
import { graphqlPlugin } from './graphql/door.ts';
import { createGateway } from './graphql/gateway.ts';
import { healthPlugin } from './health.ts';
import { legacyDoor } from './legacy/door.ts';
import { metricsPlugin } from './metrics.ts';
import { requestIdOf } from './request-ids.ts';
import { securityHeaders } from './security-headers.ts';
import type { Services } from './services.ts';
import { readTls, watchTls } from './tls.ts';

const TCP_KEEP_ALIVE_MS = 30_000;
/** How long the head of a request may take, and the whole request. A slower client gets 408 and is disconnected. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CONNECTIONS_LOOK_MS = 5_000;
/** How long running requests may take when the server stops. */
const LAST_ANSWERS_MS = 3_000;
/** How often a stopping server closes connections that have become idle. */
const LOOK_MS = 50;

/** The HTTP server: each door of the product is a plugin of it. */
export async function createServer(services: Omit<Services, 'credentialThrottle'>): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = services.log;
  const { TLS_CERT: cert, TLS_KEY: key, TRUST_PROXY } = services.settings;
  const tls = cert !== undefined && key !== undefined ? { cert, key } : null;
  const app = Fastify({
    loggerInstance,
    ...(TRUST_PROXY.length > 0 ? { trustProxy: TRUST_PROXY } : {}),
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: requestIdOf,
    // URLs of the old API contain keys and signatures.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    forceCloseConnections: 'idle',
    // TCP keep-alive detects a client that vanished without closing, even on an idle connection.
    [tls === null ? 'http' : 'https']: {
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_LOOK_MS,
      ...(tls === null ? {} : readTls(tls)),
    },
  }) as FastifyInstance;
  if (tls !== null) {
    const unwatch = watchTls(tls, app.server as unknown as HttpsServer, services.log);
    app.addHook('onClose', async () => unwatch());
  }
  closeInTime(app);
  const headers = securityHeaders();
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  const shared: Services = {
    ...services,
    credentialThrottle: await createCredentialThrottle(app, services.metrics, services.keyUse),
  };
  const gateway = createGateway(shared);
  await app.register((scope) => graphqlPlugin(scope, { ...shared, gateway }));
  const usage = new UsageCounts(services.orm.em, services.log);
  app.addHook('onClose', () => usage.stop());
  const taskList = new TaskListCache(services.orm.em);
  await app.register((scope) =>
    legacyDoor(scope, {
      ...shared,
      gateway,
      taskList: (build) => taskList.get(build),
      repliesOf: (userId) => new DatabaseReplyStore(services.orm.em, userId),
      countCall: (apiKeyId, action) => usage.count(apiKeyId, action),
    }),
  );
  app.addHook('onClose', () => services.guard.stop());
  await app.register((scope) => healthPlugin(scope, shared));
  await app.register((scope) => metricsPlugin(scope, shared));
  await app.register(dashboardPlugin);
  return app;
}

/** Answers running requests when the server stops, and disconnects whatever is left after LAST_ANSWERS_MS. */
function closeInTime(app: FastifyInstance): void {
  // Node no longer tracks upgraded sockets. One whose upgrade is refused during the stop would stay half open for ever.
  const upgraded = new Set<Socket>();
  let isClosing = false;
  app.server.on('upgrade', (_request, socket: Socket) => {
    upgraded.add(socket);
    socket.once('close', () => upgraded.delete(socket));
    // After the refusal, which is written in this turn of the event loop.
    if (isClosing) setImmediate(() => socket.destroySoon());
  });
  let timer: NodeJS.Timeout | undefined;
  app.addHook('preClose', async () => {
    isClosing = true;
    const deadline = performance.now() + LAST_ANSWERS_MS;
    timer = setInterval(() => {
      app.server.closeIdleConnections();
      if (performance.now() < deadline) return;
      app.server.closeAllConnections();
      for (const socket of upgraded) socket.destroy();
    }, LOOK_MS);
  });
  app.addHook('onClose', async () => clearInterval(timer));
}

/** Starts to listen; returns the address. */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await listenPatiently(app, host, port);
  } catch (error) {
    const place = `${host}:${port}`;
    switch (codeOf(error)) {
      case 'EADDRINUSE':
        throw new OperatorError(`Another process is listening on ${place}: stop it, or set PORT to another port.`);
      case 'EACCES':
        throw new OperatorError(`This user has no permission to listen on ${place}: set PORT to 1024 or above.`);
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new OperatorError(`HOST must be an address of this machine, got ${host}.`);
      default:
        throw error;
    }
  }
}

/** How long to wait for a port that a stopping process may still hold. */
const PORT_WAIT_MS = 3_000;
const PORT_LOOK_MS = 200;

async function listenPatiently(app: FastifyInstance, host: string, port: number): Promise<string> {
  await app.ready();
  const deadline = Date.now() + PORT_WAIT_MS;
  for (;;) {
    try {
      return await app.listen({ host, port });
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE' || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, PORT_LOOK_MS));
    }
  }
}
