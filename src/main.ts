// The entry for containers and systemd: the same as `slotkeeper start`.
import { runSlotkeeper } from './cli/program.ts';

await runSlotkeeper(['start']);
