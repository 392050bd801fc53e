// The credentials of the signed-in user: an API key, stored in this tab only, until the tab is closed.
const STORED = 'slotkeeper.credentials';

export interface Credentials {
  key: string;
  secret: string;
}

export function storedCredentials(): Credentials | null {
  try {
    return JSON.parse(sessionStorage.getItem(STORED) ?? 'null') as Credentials | null;
  } catch {
    return null;
  }
}

export function storeCredentials(credentials: Credentials | null): void {
  if (credentials === null) sessionStorage.removeItem(STORED);
  else sessionStorage.setItem(STORED, JSON.stringify(credentials));
}

export function authorizationOf({ key, secret }: Credentials): string {
  return `Bearer ${key}.${secret}`;
}
