import type { UsersQuery } from '../operations.ts';

/** A user as listed on the API keys page. */
export type User = UsersQuery['users']['edges'][number]['node'];
