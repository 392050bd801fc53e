// Requests over HTTP from a number of connections that each wait for the reply before they ask again.
import { Agent, request } from 'node:http';
import autocannon from 'autocannon';
import { quantile, SMOKE } from './report.ts';

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

/**
 * The same with Node's own client, for a comparison with a server that closes each connection: autocannon waits a second
 * before it connects again. It takes more of the processor than autocannon, for all sides alike.
 */
export async function loadReconnecting({ url, connections, seconds }: Load): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  let bytes = 0;
  const begun = performance.now();
  const isOver = () => (SMOKE ? latencies.length >= connections : performance.now() - begun > seconds * 1_000);
  const ask = async () => {
    while (!isOver()) {
      const sent = performance.now();
      bytes += await get(url, agent);
      latencies.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: connections }, ask));
  const took = performance.now() - begun;
  agent.destroy();
  const sorted = latencies.toSorted((left, right) => left - right);
  return {
    requestsPerSecond: (latencies.length * 1_000) / took,
    p50: quantile(sorted, 0.5),
    p99: quantile(sorted, 0.99),
    bytesPerReply: Math.round(bytes / latencies.length),
  };
}

/** The length of the body. */
function get(url: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent }, (response) => {
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(length);
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    });
    sent.on('error', reject).end();
  });
}
