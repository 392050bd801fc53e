import { Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { Link, Redirect, Route, Switch } from 'wouter';
import { createGraphQLClient } from './client.ts';
import { type Session, SessionContext } from './context.ts';
import { ViewerDocument, type ViewerQuery } from './operations.ts';
import { Empty } from './parts.tsx';
import { PAGES } from './routes.tsx';
import { authorizationOf, type Credentials, storeCredentials, storedCredentials } from './session.ts';
import { SignIn } from './sign-in.tsx';

export function App() {
  const [credentials, setCredentials] = useState<Credentials | null>(storedCredentials);
  const [because, setBecause] = useState<string | null>(null);
  const signOut = useCallback((reason?: string) => {
    storeCredentials(null);
    setCredentials(null);
    setBecause(reason ?? null);
  }, []);
  const signIn = useCallback(async (given: Credentials) => {
    const { data, error } = await createGraphQLClient(authorizationOf(given), () => undefined)
      .query(ViewerDocument, {})
      .toPromise();
    if (!data?.viewer) return error?.networkError ? 'The server cannot be reached.' : 'The key or the secret is wrong.';
    storeCredentials(given);
    setCredentials(given);
    return null;
  }, []);
  if (credentials === null) return <SignIn because={because} onSignIn={signIn} />;
  return <SignedIn credentials={credentials} signOut={signOut} />;
}

function SignedIn({ credentials, signOut }: { credentials: Credentials; signOut: Session['signOut'] }) {
  const authorization = authorizationOf(credentials);
  const client = useMemo(
    () => createGraphQLClient(authorization, () => signOut('The key is not accepted any more.')),
    [authorization, signOut],
  );
  const [known, setKnown] = useState<ViewerQuery | null>(null);
  useEffect(() => {
    let isWanted = true;
    const load = async () => {
      const { data } = await client.query(ViewerDocument, {}).toPromise();
      if (!isWanted) return;
      if (data?.viewer) setKnown(data);
      else setTimeout(() => void load(), 2_000);
    };
    void load();
    return () => {
      isWanted = false;
    };
  }, [client]);
  const viewer = known?.viewer;
  const session = useMemo(
    () => (viewer ? { client, authorization, apiKey: credentials.key, viewer, signOut } : null),
    [client, authorization, credentials.key, viewer, signOut],
  );
  if (session === null) return <Empty>Loading…</Empty>;
  const pages = PAGES.filter(({ role }) => role === undefined || role === session.viewer.role);
  return (
    <SessionContext value={session}>
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <nav aria-label="Pages">
        <strong>Slotkeeper</strong>
        {pages.map(
          ({ path, label }) =>
            label !== undefined && (
              <Link key={path} href={path} className={(isActive) => (isActive ? 'active' : '')}>
                {label}
              </Link>
            ),
        )}
        <span className="who">
          {session.viewer.name} <span className="quiet">{session.viewer.role.toLowerCase()}</span>
        </span>
        <button type="button" onClick={() => signOut()}>
          Sign out
        </button>
      </nav>
      {known?.installation.heldSince && (
        <p className="held" role="alert">
          No task runs: the runners of this installation are held. {known.installation.heldBecause}
        </p>
      )}
      <main id="content">
        <Suspense fallback={<Empty>Loading…</Empty>}>
          <Switch>
            {pages.map(({ path, page: Page }) => (
              <Route<{ id?: string }> key={path} path={path}>
                {({ id = '' }) => <Page key={id} id={decodeURIComponent(id)} />}
              </Route>
            ))}
            <Route>
              <Redirect to="/" />
            </Route>
          </Switch>
        </Suspense>
      </main>
    </SessionContext>
  );
}
