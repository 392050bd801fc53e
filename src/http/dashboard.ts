import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fastifyCompress from '@fastify/compress';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Where `npm ci` has built the page. */
const BUILT = fileURLToPath(new URL('../../dist/dashboard', import.meta.url));
/** The addresses under which the page finds its way by itself. */
const PAGES = ['/', '/tasks', '/tasks/*', '/runs/*', '/timeline', '/log', '/legacy-callers', '/api-keys'];

/** Nothing from elsewhere, nothing inlined, in nobody's frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/**
 * The dashboard. The page itself needs no credentials and tells nothing: whoever signs in on it asks the same GraphQL as
 * everybody else, with an API key that stays in their tab.
 */
export async function dashboardPlugin(app: FastifyInstance): Promise<void> {
  const isBuilt = await stat(BUILT).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isBuilt) {
    app.log.warn('the dashboard is not built and not served; npm run build builds it');
    return;
  }
  await app.register(fastifyCompress, { encodings: ['br', 'gzip'] });
  await app.register(fastifyStatic, { root: BUILT, index: false, wildcard: false, cacheControl: false });
  app.addHook('onSend', async (request, reply) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY);
    // The names of all other files change with what is in them.
    const isFile = request.url.startsWith('/assets/');
    reply.header('cache-control', isFile ? 'public, max-age=31536000, immutable' : 'no-cache');
  });
  for (const path of PAGES) app.get(path, (_request, reply) => reply.sendFile('index.html'));
}
