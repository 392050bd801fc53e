import type { Client } from '@urql/core';
import { createContext, useContext } from 'react';
import type { ViewerQuery } from '../operations.ts';

export interface Session {
  client: Client;
  authorization: string;
  /** The public half of the key that they signed in with. */
  apiKey: string;
  viewer: NonNullable<ViewerQuery['viewer']>;
  signOut: (because?: string) => void;
}

/** Whether the server lets them change what `owner` owns; it decides, and the page shows no button that it would refuse. */
export function mayChange({ id, role }: Session['viewer'], owner: { id: string }): boolean {
  return role === 'ADMIN' || (role === 'OPERATOR' && owner.id === id);
}

export const SessionContext = createContext<Session | null>(null);

/** For all that is shown to someone who has signed in. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('nobody has signed in');
  return session;
}
