/** A failure that an operator can fix: commands print it as one sentence, without a stack. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}
