// A client of the old API as its users wrote them in Node: node client.mjs URL KEY SECRET, then calls on standard input,
// one JSON object a line with the parameters of the query and, for a POST, the body. A line out is the status and the reply.
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { createInterface } from 'node:readline';

const [url, key, secret] = process.argv.slice(2);

function call(query, body) {
  const signed = new URLSearchParams({ ...query, apiKey: key }).toString();
  const hash = createHmac('sha256', secret).update(signed).digest('base64');
  const method = body === undefined ? 'GET' : 'POST';
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(`${url}?${signed}&hash=${encodeURIComponent(hash)}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { query, body } = JSON.parse(line);
  process.stdout.write(`${await call(query, body)}\n`);
}
