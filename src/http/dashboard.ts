import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import fastifyCompress from '@fastify/compress';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Where `npm ci` builds the page. */
const BUILT = fileURLToPath(new URL('../../dist/dashboard', import.meta.url));
/** The paths that the page routes by itself. */
const PAGES = ['/', '/tasks', '/tasks/*', '/runs/*', '/timeline', '/log', '/legacy-callers', '/api-keys'];

/** Only files of this server, nothing inline, no framing. */
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
 * Serves the dashboard. The page is public and contains no data: after signing in it uses the same GraphQL API as any
 * other client, with an API key that stays in the browser tab.
 */
export async function dashboardPlugin(app: FastifyInstance): Promise<void> {
  const isBuilt = await stat(BUILT).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isBuilt) {
    app.log.warn('the dashboard is not served: it is not built; run npm run build');
    return;
  }
  await app.register(fastifyCompress, { encodings: ['br', 'gzip'] });
  await app.register(fastifyStatic, { root: BUILT, index: false, wildcard: false, cacheControl: false });
  app.addHook('onSend', async (request, reply) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY);
    // The names of the files in assets contain a hash of their content.
    const isFile = request.url.startsWith('/assets/');
    reply.header('cache-control', isFile ? 'public, max-age=31536000, immutable' : 'no-cache');
  });
  for (const path of PAGES) app.get(path, (_request, reply) => reply.sendFile('index.html'));
}
