/** The field of each mutation's input that `withIdempotencyKey` looks at. */
export const IDEMPOTENCY_KEY = {
  description:
    'A repeated call with the same key and input within 24 hours answers with what the first one did; with another input it is a CONFLICT.',
};
