const MAX_URL_LENGTH = 8_192;

/** The URL of a request, or what it is instead of one that is accepted. */
export function readTarget(text: string, base?: URL): URL | string {
  if (text.length > MAX_URL_LENGTH) return `it has ${text.length} characters, more than ${MAX_URL_LENGTH}`;
  const url = URL.parse(text, base?.href);
  if (url === null) return 'it is not a URL';
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return 'it is neither http nor https';
  if (url.username !== '' || url.password !== '') return 'it has a user or password';
  url.hash = '';
  return url;
}

/** As messages show it: the query is left out, since it may hold what is not to be seen. */
export function shownUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}
