// The floor of fan-out: what comes over `/send` goes to all other connections, as it is.
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
server.on('connection', (socket, request) => {
  if (request.url !== '/send') return;
  socket.on('message', (data) => {
    const text = data.toString();
    for (const client of server.clients) if (client !== socket) client.send(text);
  });
});
server.on('listening', () => {
  process.stdout.write(`listens on ws://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
});
process.once('SIGTERM', () => process.exit());
