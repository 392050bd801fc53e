// GraphiQL, an editor of queries, where GRAPHIQL is on. All of it comes from this server, out of Yoga's offline bundle.
import { createHash } from 'node:crypto';
import fastifyCompress from '@fastify/compress';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const OPTIONS = {
  title: 'Slotkeeper: GraphiQL',
  endpoint: '/graphql',
  defaultQuery: '# Your key and its secret go under Headers.\n{\n  viewer {\n    name\n    role\n  }\n}\n',
  headers: JSON.stringify({ authorization: 'Bearer KEY.SECRET' }, null, 2),
  defaultEditorToolsVisibility: 'headers',
  // They hold a secret, which stays in the tab.
  shouldPersistHeaders: false,
};

/** As the dashboard's, but for styles, which the editor writes as it goes, and icons and fonts that are in them. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SCRIPT = 'text/javascript; charset=utf-8';

export interface GraphiQL {
  /** Whether somebody's browser asks to see the page, and no program for data. */
  isAskedFor(request: FastifyRequest): boolean;
  /** The page needs no credentials and tells nothing: what is asked on it is answered as everybody is. */
  sendPage(reply: FastifyReply): FastifyReply;
}

/** Serves the files of the page; the page itself is at the address of the API, for that to send. */
export async function graphiqlPlugin(app: FastifyInstance): Promise<GraphiQL> {
  // Loaded where it is asked for: it is large.
  const bundle = await import('@graphql-yoga/render-graphiql/graphiql');
  const base = `/graphiql/${digestOf(bundle.js, bundle.css, JSON.stringify(OPTIONS))}`;
  const files: Record<string, { type: string; text: string }> = {
    'graphiql.css': { type: 'text/css; charset=utf-8', text: bundle.css },
    'graphiql.js': { type: SCRIPT, text: scriptOf(bundle.js, base) },
    'editorWorkerService.js': { type: SCRIPT, text: bundle.editorWorkerService },
    'json.js': { type: SCRIPT, text: bundle.jsonWorker },
    'graphql.js': { type: SCRIPT, text: bundle.graphqlWorker },
  };
  await app.register(async (scope) => {
    await scope.register(fastifyCompress, { encodings: ['br', 'gzip'] });
    for (const [name, { type, text }] of Object.entries(files)) {
      scope.get(`${base}/${name}`, (_request, reply) =>
        reply
          .headers({ ...PAGE_HEADERS, 'cache-control': 'public, max-age=31536000, immutable' })
          .type(type)
          .send(text),
      );
    }
  });
  const html = htmlOf(base, bundle.favicon);
  return {
    isAskedFor: ({ method, headers }) => method === 'GET' && (headers.accept ?? '').includes('text/html'),
    sendPage: (reply) =>
      reply
        .headers({ ...PAGE_HEADERS, 'cache-control': 'no-cache' })
        .type('text/html; charset=utf-8')
        .send(html),
  };
}

const PAGE_HEADERS = { 'content-security-policy': CONTENT_SECURITY_POLICY };

/** Changes with what is in the files, which browsers may therefore keep. */
function digestOf(...texts: string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  return hash.digest('hex').slice(0, 16);
}

/** The bundle's own page has its scripts inlined, which would take a policy that lets in anybody's. */
function scriptOf(js: string, base: string): string {
  return `self.MonacoEnvironment = { globalAPI: false, getWorkerUrl: (_module, label) => '${base}/' + label + '.js' };
${js};
YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), ${JSON.stringify(OPTIONS)});
`;
}

function htmlOf(base: string, favicon: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>${OPTIONS.title}</title>
    <link rel="icon" href="${favicon}" />
    <link rel="stylesheet" href="${base}/graphiql.css" />
  </head>
  <body id="body" class="no-focus-outline">
    <noscript>This page needs JavaScript.</noscript>
    <div id="root"></div>
    <script src="${base}/graphiql.js"></script>
  </body>
</html>
`;
}
