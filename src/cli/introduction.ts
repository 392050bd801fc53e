// What a start prints on standard output when it is ready.
import type { App } from '../app.ts';
import type { KeyAndSecret } from '../credentials/credentials.ts';
import { signedQuery } from '../legacy/signature.ts';
import type { Settings } from '../settings.ts';

/** Where it listens, whether the runners are held, and at the first start how to call it. */
export function introduction(
  { ROLE, ADMIN_API_SECRET }: Settings,
  { address, metricsAddress, firstAdmin, installation }: App,
): string {
  const held = installation.heldSince === null ? '' : `${heldNotice(installation)}\n`;
  if (address === null) {
    const where = metricsAddress === null ? 'it listens on no port' : `metrics and health: ${metricsAddress}`;
    return `${held}Slotkeeper (${ROLE}) runs tasks; ${where}.`;
  }
  const head = `${held}Slotkeeper (${ROLE}) listens on ${address}`;
  if (firstAdmin === null) return head;
  // A secret that comes from the settings does not belong in a log.
  const isGiven = ADMIN_API_SECRET !== undefined;
  return `${head}\n${isGiven ? 'This is the first start; the admin has the API key of ADMIN_API_KEY.' : firstSteps(address, firstAdmin)}`;
}

function heldNotice({ heldBecause }: App['installation']): string {
  return `No task runs: the runners of this installation are held. ${heldBecause} To make it the live installation: npm run resume`;
}

function firstSteps(address: string, { key, secret }: KeyAndSecret): string {
  const query = JSON.stringify({ query: '{ viewer { name role } taskClasses { name } }' });
  return `
This is the first start. The admin's API key is shown only once; keep it:

  ADMIN_API_KEY=${key}
  ADMIN_API_SECRET=${secret}

A GraphQL call:

  curl -u '${key}:${secret}' -H 'content-type: application/json' -d '${query}' ${address}/graphql

A call of the old API:

  curl '${address}/api/v1/api.php?${signedQuery('target=scheduler&action=getTasks', key, secret)}'
`;
}
