/** The migrated database that test databases are cloned from. */
export const TEMPLATE = 'slotkeeper_template';

/** The URL of another database of the same server. */
export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
