// GraphiQL, a query editor, if GRAPHIQL is on. This server delivers all of it, from Yoga's offline bundle.
import { createHash } from 'node:crypto';
import fastifyCompress from '@fastify/compress';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const OPTIONS = {
  title: 'Slotkeeper: GraphiQL',
  endpoint: '/graphql',
  defaultQuery: '# Enter your key and its secret under Headers.\n{\n  viewer {\n    name\n    role\n  }\n}\n',
  headers: JSON.stringify({ authorization: 'Bearer KEY.SECRET' }, null, 2),
  defaultEditorToolsVisibility: 'headers',
  // The headers contain a secret, which must not leave the tab.
  shouldPersistHeaders: false,
};

/** Like that of the dashboard, but the editor also adds inline styles, which embed icons and fonts. */
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
  /** Whether a browser requests the page, rather than a program data. */
  isAskedFor(request: FastifyRequest): boolean;
  /** The page is public and contains no data: its queries need credentials like all others. */
  sendPage(reply: FastifyReply): FastifyReply;
}

/** Serves the files of the page. The page itself has the URL of the API, whose route must send it. */
export async function graphiqlPlugin(app: FastifyInstance): Promise<GraphiQL> {
  // Imported only if it is used: it is large.
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

/** A hash of the content for the URLs of the files, so that browsers may cache them for ever. */
function digestOf(...texts: string[]): string {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(text);
  return hash.digest('hex').slice(0, 16);
}

/** The bundle's own page has inline scripts, which would need a policy that allows any inline script. */
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
