import type { ServerResponse } from 'node:http';
import helmet from 'helmet';

/**
 * The headers that Helmet sets, with names in lower case. They are the same for every reply, so they are computed once.
 */
export function securityHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  const reply = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value;
    },
    removeHeader: () => undefined,
  };
  helmet()({} as never, reply as unknown as ServerResponse, (error?: unknown) => {
    if (error !== undefined) throw error;
  });
  return headers;
}
