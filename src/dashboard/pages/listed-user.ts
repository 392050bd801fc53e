import type { UsersQuery } from '../operations.ts';

/** A user as the page of API keys lists them. */
export type User = UsersQuery['users']['edges'][number]['node'];
