import type { FastifyInstance } from 'fastify';
import { describeLegacyApi } from '../../legacy/openapi.ts';
import { legacyApiPage } from '../../legacy/page.ts';
import { mayReadDescription, parseAddress } from '../../legacy/parsed-call.ts';
import type { Services } from '../services.ts';
import { findCaller } from './callers.ts';
import { sendRefusal, sendUnauthenticated } from './replies.ts';

const SIGN_FOR_DESCRIPTION = 'the signed URL of a description must have target=docs.';

/**
 * The description of the API, as OpenAPI and as a page. A signed URL works for a browser, which sends no header by
 * itself.
 */
export function legacyDescription(app: FastifyInstance, services: Services): void {
  const serve = (url: string, type: string, text: string) =>
    app.get(url, async (request, reply) => {
      const address = parseAddress(request.raw.url ?? '');
      if (!mayReadDescription(address)) return sendUnauthenticated(reply, services, SIGN_FOR_DESCRIPTION);
      const identity = await findCaller(services, request, address.credentials);
      return 'status' in identity ? sendRefusal(reply, services, identity) : reply.type(type).send(text);
    });
  serve('/api/v1/openapi.json', 'application/json', JSON.stringify(describeLegacyApi(), null, 2));
  serve('/api/v1/', 'text/html; charset=utf-8', legacyApiPage());
}
