/** What a command prints. */
export interface Output {
  /** Progress: a line on standard output, with `--json` on standard error. */
  say(text: string): void;
  /** The result, on standard output: `text`, with `--json` one line of JSON. */
  result(text: string, json: object): void;
}

const line = (stream: NodeJS.WritableStream) => (text: string) => {
  stream.write(`${text}\n`);
};

export const textOutput: Output = { say: line(process.stdout), result: line(process.stdout) };

export const jsonOutput: Output = {
  say: line(process.stderr),
  result: (_text, json) => line(process.stdout)(JSON.stringify(json)),
};
