/** Connections to PostgreSQL that each server under test may have, the product included. */
export const POOL_SIZE = 16;
