// What `import … from 'slotkeeper/client'` gives. This folder imports nothing of the product but itself, and graphql-ws alone
// of all packages, so that it can be copied.
export { CursorExpired, FeedRefused } from './feed-errors.ts';
export { RUN_FEED_DOCUMENTS, type RunEvent } from './run-events.ts';
export { createRunFeed, type RunFeed, type RunFeedOptions } from './run-feed.ts';
