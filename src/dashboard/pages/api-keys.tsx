import './api-keys.css';
import { useCallback, useEffect, useState } from 'react';
import { useSearchParams } from 'wouter';
import { pause } from '../live/pause.ts';
import { whileCurrent } from '../live/while-current.ts';
import { type KeyLineFragment, KeysOfUserDocument, UsersDocument, type UsersQuery } from '../operations.ts';
import { isOver } from '../parts/format.ts';
import { TYPED_MS } from '../parts/intervals.ts';
import { Empty, Failure, PageTitle, Time } from '../parts/parts.tsx';
import { useSession } from '../session/context.ts';
import { CreateKey, ImportKey, RevokeKey } from './key-dialogs.tsx';
import type { User } from './listed-user.ts';
import { EditUser } from './user-dialog.tsx';

const PAGE = 50;
/** The server's limit for one query. Users beyond it are found by searching. */
const MOST = 500;

/** The dialog that is open. */
type Opened =
  | { what: 'add' | 'import' }
  | { what: 'edit' | 'create'; user: User }
  | { what: 'replace' | 'revoke'; user: User; apiKey: string };

/** The first `count` users, in the server's order. */
function useUsers(search: string, withRevoked: boolean) {
  const { client } = useSession();
  const [count, setCount] = useState(PAGE);
  const [users, setUsers] = useState<UsersQuery['users'] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const load = useCallback(
    async (signal?: AbortSignal) => {
      const { data, error } = await client
        .query(UsersDocument, { first: count, name: search, revoked: withRevoked ? null : false })
        .toPromise();
      if (signal?.aborted) return;
      setFailure(error?.message ?? null);
      if (data !== undefined) setUsers(data.users);
    },
    [client, count, search, withRevoked],
  );
  useEffect(() => {
    return whileCurrent(async (signal) => {
      await pause(search === '' ? 0 : TYPED_MS, signal);
      if (!signal.aborted) await load(signal);
    });
  }, [load, search]);
  return { users, failure, load, count, showMore: () => setCount(Math.min(count + PAGE, MOST)) };
}

/** Users and their API keys. */
export function ApiKeysPage() {
  const [params, setParams] = useSearchParams();
  const search = params.get('search') ?? '';
  const withRevoked = params.has('revoked');
  const { users, failure, load, count, showMore } = useUsers(search, withRevoked);
  const [opened, open] = useState<Opened | null>(null);
  const set = (name: string, value: string | null) =>
    setParams(
      (known) => {
        const next = new URLSearchParams(known);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  const shown = users?.edges.map(({ node }) => node) ?? [];
  return (
    <>
      <header className="page-head">
        <PageTitle>API keys</PageTitle>
        <button type="button" className="primary" onClick={() => open({ what: 'add' })}>
          Add user
        </button>
        <button type="button" onClick={() => open({ what: 'import' })}>
          Import key from the old installation
        </button>
      </header>
      <form className="filters" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search
          <input
            type="search"
            value={search}
            placeholder="User"
            onChange={({ target }) => set('search', target.value)}
          />
        </label>
        <label className="check">
          <input
            type="checkbox"
            checked={withRevoked}
            onChange={({ target }) => set('revoked', target.checked ? '1' : null)}
          />
          Show revoked keys
        </label>
      </form>
      <Failure message={failure} />
      {shown.length === 0 && (
        <Empty>
          {users === null
            ? 'Loading…'
            : 'No user has a name that contains this. Add a user, or search for something else.'}
        </Empty>
      )}
      {shown.map((user) => (
        <UserCard key={user.id} user={user} withRevoked={withRevoked} open={open} />
      ))}
      {users?.pageInfo.hasNextPage &&
        (count < MOST ? (
          <button type="button" className="more" onClick={showMore}>
            Show more
          </button>
        ) : (
          <p className="quiet">More users exist. Search by name to find them.</p>
        ))}
      <Dialogs opened={opened} onDone={load} onClose={() => open(null)} />
    </>
  );
}

interface DialogsProps {
  opened: Opened | null;
  /** Called after every change. */
  onDone: () => void;
  onClose: () => void;
}

function Dialogs({ opened, onDone, onClose }: DialogsProps) {
  switch (opened?.what) {
    case 'add':
      return <EditUser user={null} onDone={onDone} onClose={onClose} />;
    case 'edit':
      return <EditUser user={opened.user} onDone={onDone} onClose={onClose} />;
    case 'import':
      return <ImportKey onDone={onDone} onClose={onClose} />;
    case 'create':
      return <CreateKey user={opened.user} onDone={onDone} onClose={onClose} />;
    case 'replace':
      return <CreateKey user={opened.user} former={opened.apiKey} onDone={onDone} onClose={onClose} />;
    case 'revoke':
      return <RevokeKey user={opened.user} apiKey={opened.apiKey} onDone={onDone} onClose={onClose} />;
    default:
      return null;
  }
}

interface UserCardProps {
  user: User;
  withRevoked: boolean;
  open: (opened: Opened) => void;
}

function UserCard({ user, withRevoked, open }: UserCardProps) {
  const { client, viewer } = useSession();
  const { edges, pageInfo } = user.apiKeys;
  const [all, setAll] = useState<readonly KeyLineFragment[] | null>(null);
  // Reloaded keys are newer than an expanded list: collapse it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it collapses whenever the keys are reloaded
  useEffect(() => setAll(null), [user.apiKeys]);
  const unfold = async () => {
    const { data } = await client
      .query(KeysOfUserDocument, { user: user.id, revoked: withRevoked ? null : false })
      .toPromise();
    if (data !== undefined) setAll(data.apiKeys.edges.map(({ node }) => node));
  };
  const keys = all ?? edges.map(({ node }) => node);
  return (
    <section className="user" aria-label={user.name}>
      <header>
        <h2>{user.name}</h2>
        <span className="badge">{user.role.toLowerCase()}</span>
        <span className="quiet">user_id {user.legacyId}</span>
        {user.disabledAt && <span className="badge failed">Disabled</span>}
        {user.id === viewer.id && <span className="quiet">you</span>}
        <div className="buttons">
          <button type="button" onClick={() => open({ what: 'edit', user })}>
            Change<span className="hidden">: {user.name}</span>
          </button>
          <button type="button" onClick={() => open({ what: 'create', user })}>
            Create key<span className="hidden">: {user.name}</span>
          </button>
        </div>
      </header>
      {keys.length === 0 ? (
        <Empty>This user has no active key and cannot sign in. Create a key to give access.</Empty>
      ) : (
        <ul className="keys" aria-label={`Keys of ${user.name}`}>
          {keys.map((each) => (
            <KeyLine
              key={each.key}
              apiKey={each}
              onReplace={() => open({ what: 'replace', user, apiKey: each.key })}
              onRevoke={() => open({ what: 'revoke', user, apiKey: each.key })}
            />
          ))}
        </ul>
      )}
      {pageInfo.hasNextPage && all === null && (
        <button type="button" className="more" onClick={() => void unfold()}>
          Show all keys<span className="hidden"> of {user.name}</span>
        </button>
      )}
    </section>
  );
}

function KeyLine({
  apiKey: { key, createdAt, revokedAt, lastUsedAt },
  onReplace,
  onRevoke,
}: {
  apiKey: KeyLineFragment;
  onReplace: () => void;
  onRevoke: () => void;
}) {
  const { apiKey: own } = useSession();
  const isRevoked = isOver(revokedAt);
  return (
    <li className={isRevoked ? 'revoked' : ''}>
      <code>{key}</code>
      <span className="quiet">
        {isRevoked ? 'revoked' : 'since'} <Time at={isRevoked && revokedAt ? revokedAt : createdAt} />
        {!isRevoked && revokedAt && (
          <>
            , replaced, valid until <Time at={revokedAt} />
          </>
        )}
        {lastUsedAt ? (
          <>
            , last used <Time at={lastUsedAt} />
          </>
        ) : (
          ', never used'
        )}
        {key === own && (
          <>
            {' '}
            <strong className="badge running">You are signed in with this key</strong>
          </>
        )}
      </span>
      {!revokedAt && (
        <button type="button" onClick={onReplace}>
          Replace<span className="hidden">: {key}</span>
        </button>
      )}
      {!isRevoked && (
        <button type="button" className="danger" onClick={onRevoke}>
          Revoke<span className="hidden">: {key}</span>
        </button>
      )}
    </li>
  );
}
