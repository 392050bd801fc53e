// The entry that bin/slotkeeper.js starts under the packaged Node, with an IPC channel between the two.
import { followLauncher } from './launcher.ts';

followLauncher();
await import('./main.ts');
