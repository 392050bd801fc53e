// What containers and systemd run: the same as `slotkeeper start`.
import { runSlotkeeper } from './cli/program.ts';

await runSlotkeeper(['start']);
