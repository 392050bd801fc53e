import type { Client } from '@urql/core';
import { createContext, useContext } from 'react';
import type { ViewerQuery } from './operations.ts';

export interface Session {
  client: Client;
  authorization: string;
  /** The public half of the key that they signed in with. */
  apiKey: string;
  viewer: NonNullable<ViewerQuery['viewer']>;
  signOut: (because?: string) => void;
}

export const SessionContext = createContext<Session | null>(null);

/** For all that is shown to someone who has signed in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('nobody has signed in');
  return session;
}
