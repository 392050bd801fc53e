/** The field of each mutation's input that `withIdempotencyKey` looks at. */
export const IDEMPOTENCY_KEY = {
  description:
    'Makes retries safe: a call repeated within 24 hours with the same key and input returns the result of the first. The same key with another input is a CONFLICT.',
};
