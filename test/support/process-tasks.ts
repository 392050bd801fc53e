// Task classes, for TASK_MODULES, of which tests learn what goes on in a process of its own.
import { Session } from 'node:inspector';
import { defineTaskClass, z } from 'slotkeeper';

export const LoadedPackagesTask = defineTaskClass({
  name: '\\test\\LoadedPackages',
  title: 'Loaded packages',
  description: 'Tells what its process has loaded, as its debugger knows it.',
  data: z.looseObject({}),
  async run() {
    const packages = new Set<string>();
    const session = new Session();
    session.connect();
    session.on('Debugger.scriptParsed', ({ params: { url } }) => {
      const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
      if (name !== undefined) packages.add(name);
    });
    // Tells of all scripts that there are, before it answers.
    session.post('Debugger.enable');
    session.disconnect();
    return [...packages].sort().join(' ');
  },
});

export const CarelessTask = defineTaskClass({
  name: '\\test\\Careless',
  title: 'Careless',
  description: 'Leaves a promise behind that is rejected when it has ended.',
  data: z.looseObject({}),
  async run() {
    setTimeout(() => Promise.reject(new Error('nobody awaits this')), 50);
    return 'ended';
  },
});
