/** A failure that an operator can act on: commands print it as one sentence, without a stack. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}
