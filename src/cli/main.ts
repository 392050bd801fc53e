// The entry of the command line.
import { runSlotkeeper } from './program.ts';

await runSlotkeeper(process.argv.slice(2));
