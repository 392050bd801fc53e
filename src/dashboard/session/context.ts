import type { Client } from '@urql/core';
import { createContext, useContext } from 'react';
import type { ViewerQuery } from '../operations.ts';

export interface Session {
  client: Client;
  authorization: string;
  /** The public half of the user's key. */
  apiKey: string;
  viewer: NonNullable<ViewerQuery['viewer']>;
  signOut: (because?: string) => void;
}

/** Whether the user may change what `owner` owns. The server decides; pages hide the buttons that it would refuse. */
export function mayChange({ id, role }: Session['viewer'], owner: { id: string }): boolean {
  return role === 'ADMIN' || (role === 'OPERATOR' && owner.id === id);
}

export const SessionContext = createContext<Session | null>(null);

/** The session. Throws outside of the pages of a signed-in user. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('no user is signed in');
  return session;
}
