/** The WebSocket URL of subscriptions and the run feed, on the server that the page came from. */
export function socketUrl(): string {
  return new URL('/graphql', location.href.replace(/^http/, 'ws')).href;
}
