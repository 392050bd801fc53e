const BAR_WIDTH = 30;
/** Where nobody looks at a terminal, a line each time so much more is done. */
const LINE_EACH = 0.1;

/**
 * Shows on standard error how much of `total` is done: a bar that is drawn anew on a terminal, now and then a line
 * elsewhere. Standard output is for the plan.
 */
export function showProgress(what: string, total: number, output: NodeJS.WriteStream = process.stderr) {
  let told = 0;
  return (done: number, detail: string): void => {
    const share = total === 0 ? 1 : done / total;
    const text = `${what}: ${done} of ${total} (${detail})`;
    if (output.isTTY) {
      const filled = Math.round(share * BAR_WIDTH);
      const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
      output.write(`\r${bar} ${text}\u001b[K${done === total ? '\n' : ''}`);
    } else if (done === total || share - told >= LINE_EACH) {
      told = share;
      output.write(`${text}\n`);
    }
  };
}
