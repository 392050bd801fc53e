import { type ReactNode, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { Link, matchRoute, Redirect, Route, Switch, useLocation, useRouter } from 'wouter';
import { pause } from './live/pause.ts';
import { RELOAD_MS } from './live/reloading.ts';
import { whileCurrent } from './live/while-current.ts';
import { ViewerDocument, type ViewerQuery } from './operations.ts';
import { Broken } from './parts/broken.tsx';
import { Empty } from './parts/parts.tsx';
import { PAGES } from './routes.tsx';
import { createGraphQLClient } from './session/client.ts';
import { type Session, SessionContext } from './session/context.ts';
import { authorizationOf, type Credentials, storeCredentials, storedCredentials } from './session/session.ts';
import { SignIn } from './session/sign-in.tsx';

/** How often the user and whether the runners are held are queried again. */
const VIEWER_MS = 30_000;

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
    () => createGraphQLClient(authorization, () => signOut('The key is no longer accepted.')),
    [authorization, signOut],
  );
  const [known, setKnown] = useState<ViewerQuery | null>(null);
  const firstPage = useFirstPage();
  useEffect(() => {
    return whileCurrent(async (signal) => {
      while (!signal.aborted) {
        const [{ data }] = await Promise.all([client.query(ViewerDocument, {}).toPromise(), firstPage]);
        if (signal.aborted) return;
        if (data?.viewer) setKnown(data);
        await pause(data?.viewer ? VIEWER_MS : RELOAD_MS, signal);
      }
    });
  }, [client, firstPage]);
  // The same object until the viewer changes, so that a new answer does not re-render the pages.
  const viewerJson = JSON.stringify(known?.viewer ?? null);
  const viewer = useMemo(() => JSON.parse(viewerJson) as Session['viewer'] | null, [viewerJson]);
  const session = useMemo(
    () => (viewer ? { client, authorization, apiKey: credentials.key, viewer, signOut } : null),
    [client, authorization, credentials.key, viewer, signOut],
  );
  if (session === null) return <Empty>Loading…</Empty>;
  const pages = PAGES.filter(({ role }) => role === undefined || role === session.viewer.role);
  return (
    <SessionContext value={session}>
      <a className="skip" href="#content">
        Skip to content
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
          The runners of this installation are held, so no task runs. {known.installation.heldBecause}
        </p>
      )}
      <Content>
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
      </Content>
    </SessionContext>
  );
}

/** Resolves when the code of the page in the URL has loaded, or failed to load: the page then shows the error. */
function useFirstPage(): Promise<unknown> {
  const { parser } = useRouter();
  const [path] = useLocation();
  const [loading] = useState(() => {
    const first = PAGES.find((page) => matchRoute(parser, page.path, path)[0]);
    return first?.page.load?.().catch(() => undefined) ?? Promise.resolve();
  });
  return loading;
}

/** The content of a page. It gets the focus when the page changes, so that keyboard users start at its beginning. */
function Content({ children }: { children: ReactNode }) {
  const [path] = useLocation();
  const main = useRef<HTMLElement>(null);
  const last = useRef(path);
  useEffect(() => {
    if (last.current !== path) main.current?.focus();
    last.current = path;
  }, [path]);
  return (
    <main id="content" ref={main} tabIndex={-1}>
      <Broken key={path}>{children}</Broken>
    </main>
  );
}
