import './legacy-callers.css';
import { useCallback, useState } from 'react';
import { Link, useSearchParams } from 'wouter';
import { usePolling } from '../live/polling.ts';
import { LegacyCallersDocument, type LegacyCallersQuery } from '../operations.ts';
import { isOver } from '../parts/format.ts';
import { DAY_MS } from '../parts/intervals.ts';
import { Empty, Failure, PageTitle, Time } from '../parts/parts.tsx';
import { useSession } from '../session/context.ts';

const POLL_MS = 5_000;
/** The server returns at most this many rows. */
const MOST = 500;
const SILENT_DAYS = 30;

type Use = LegacyCallersQuery['legacyCallers'][number];

interface Caller {
  apiKey: Use['apiKey'];
  /** The most recently called action first. */
  uses: Use[];
}

function callersOf(uses: readonly Use[], search: string): Caller[] {
  const sought = search.toLowerCase();
  const wanted = uses.filter(({ action, apiKey }) =>
    [action, apiKey.key, apiKey.user.name].some((text) => text.toLowerCase().includes(sought)),
  );
  // Keeps the server's order: the most recent caller first.
  const byKey = Map.groupBy(wanted, ({ apiKey }) => apiKey.key);
  return [...byKey.values()].flatMap((own) => (own[0] ? [{ apiKey: own[0].apiKey, uses: own }] : []));
}

function isSilent(use: Use | undefined): boolean {
  return use !== undefined && Date.now() - Date.parse(use.lastCalledAt) > SILENT_DAYS * DAY_MS;
}

/** Who still calls api.php. */
export function LegacyCallersPage() {
  const { client } = useSession();
  const [params, setParams] = useSearchParams();
  const search = params.get('search') ?? '';
  const [uses, setUses] = useState<readonly Use[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const load = useCallback(async () => {
    const { data, error } = await client.query(LegacyCallersDocument, {}).toPromise();
    setFailure(error ? `The list is out of date: ${error.message}` : null);
    if (data !== undefined) setUses(data.legacyCallers);
  }, [client]);
  usePolling(load, POLL_MS);
  const callers = callersOf(uses ?? [], search);
  return (
    <>
      <header className="page-head">
        <PageTitle>Legacy callers</PageTitle>
      </header>
      <div className="what-to-do">
        <p>Keys that called the old api.php, and the actions that they called. To move a caller off api.php:</p>
        <ol>
          <li>Move the caller to GraphQL, with a new key from the API keys page.</li>
          <li>Check here that its old key is no longer used.</li>
          <li>Revoke the old key. It then works neither in api.php nor in GraphQL.</li>
        </ol>
      </div>
      <form className="filters" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search
          <input
            type="search"
            value={search}
            placeholder="Key, user or action"
            onChange={({ target }) => setParams(target.value === '' ? {} : { search: target.value }, { replace: true })}
          />
        </label>
      </form>
      <Failure message={failure} />
      {callers.length === 0 && (
        <Empty>
          {uses === null
            ? 'Loading…'
            : search === ''
              ? 'No calls to api.php yet. New callers appear here within seconds.'
              : 'No key, user or action contains this text.'}
        </Empty>
      )}
      {callers.map((caller) => (
        <CallerCard key={caller.apiKey.key} caller={caller} />
      ))}
      {uses?.length === MOST && <p className="quiet">Only the {MOST} most recent entries are listed.</p>}
    </>
  );
}

function CallerCard({ caller: { apiKey, uses } }: { caller: Caller }) {
  const calls = uses.reduce((sum, use) => sum + use.calls, 0);
  return (
    <section className="caller" aria-label={`Calls with ${apiKey.key}`}>
      <header>
        <h2>
          <code>{apiKey.key}</code>
        </h2>
        <span>{apiKey.user.name}</span>
        {isOver(apiKey.revokedAt) ? (
          <span className="badge">Revoked</span>
        ) : (
          isSilent(uses[0]) && <span className="badge skipped">Not used for {SILENT_DAYS} days</span>
        )}
        <span className="quiet">
          {calls.toLocaleString()} {calls === 1 ? 'call' : 'calls'}
        </span>
        {!isOver(apiKey.revokedAt) && (
          <Link href={`/api-keys?search=${encodeURIComponent(apiKey.user.name)}`}>
            Their keys
            <span className="hidden">
              {' '}
              of {apiKey.user.name}, to revoke {apiKey.key}
            </span>
          </Link>
        )}
      </header>
      <table>
        <caption className="hidden">What {apiKey.key} calls</caption>
        <thead>
          <tr>
            <th scope="col">Action</th>
            <th scope="col" className="number">
              Calls
            </th>
            <th scope="col">Last call</th>
          </tr>
        </thead>
        <tbody>
          {uses.map((use) => (
            <tr key={use.action}>
              <th scope="row">{use.action}</th>
              <td className="number">{use.calls.toLocaleString()}</td>
              <td>
                <Time at={use.lastCalledAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
