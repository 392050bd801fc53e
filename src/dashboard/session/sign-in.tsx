import { type FormEvent, useState } from 'react';
import { Failure } from '../parts/parts.tsx';
import type { Credentials } from './session.ts';

interface SignInProps {
  /** Why the user was signed out, if it was not by choice. */
  because: string | null;
  /** Resolves with an error message, or null on success. */
  onSignIn: (credentials: Credentials) => Promise<string | null>;
}

export function SignIn({ because, onSignIn }: SignInProps) {
  const [failure, setFailure] = useState(because);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setFailure(await onSignIn({ key: String(form.get('key')).trim(), secret: String(form.get('secret')).trim() }));
    setBusy(false);
  };
  return (
    <main className="sign-in">
      <h1>Slotkeeper</h1>
      <form onSubmit={(event) => void submit(event)}>
        <p className="quiet">Sign in with an API key. The first start of the server prints the one of the admin.</p>
        <label>
          API key
          <input name="key" required autoComplete="username" spellCheck={false} />
        </label>
        <label>
          Secret
          <input name="secret" type="password" required autoComplete="current-password" />
        </label>
        <Failure message={failure} />
        <button type="submit" disabled={isBusy} className="primary">
          Sign in
        </button>
      </form>
    </main>
  );
}
