// Requests over HTTP from a number of connections that each wait for the reply before they ask again.
import autocannon from 'autocannon';
import { SMOKE } from './report.ts';

export interface Load {
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  connections: number;
  seconds: number;
}

export interface LoadResult {
  requestsPerSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  bytesPerReply: number;
}

/** @throws where any reply is no 2xx or does not come: a failure that is fast is no speed */
export async function load({ url, method = 'GET', headers, body, connections, seconds }: Load): Promise<LoadResult> {
  const result = await autocannon({
    url,
    method,
    connections,
    // A trial asks a few times, however long that takes.
    ...(SMOKE ? { amount: connections * 4 } : { duration: seconds }),
    ...(headers === undefined ? {} : { headers }),
    ...(body === undefined ? {} : { body }),
  });
  const failed = result.non2xx + result.errors + result.timeouts;
  if (failed > 0 || result['2xx'] === 0)
    throw new Error(
      `${failed} of ${result.requests.total} requests failed: ${url} (${JSON.stringify([result.non2xx, result.errors, result.timeouts, result['2xx']])})`,
    );
  return {
    requestsPerSecond: result['2xx'] / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    bytesPerReply: Math.round(result.throughput.total / result['2xx']),
  };
}
