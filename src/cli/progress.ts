const BAR_WIDTH = 30;
/** Without a terminal, a line is printed each time this fraction more is done. */
const LINE_EACH = 0.1;

/**
 * Shows on standard error how much of `total` is done: a bar on a terminal, a line now and then elsewhere. Standard
 * output is for the plan.
 */
export function showProgress(what: string, total: number, output: NodeJS.WriteStream = process.stderr) {
  let shown = 0;
  return (done: number, detail: string): void => {
    const share = total === 0 ? 1 : done / total;
    const text = `${what}: ${done} of ${total} (${detail})`;
    if (output.isTTY) {
      const filled = Math.round(share * BAR_WIDTH);
      const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
      output.write(`\r${bar} ${text}\u001b[K${done === total ? '\n' : ''}`);
    } else if (done === total || share - shown >= LINE_EACH) {
      shown = share;
      output.write(`${text}\n`);
    }
  };
}
