// Loads each of the task modules that it is given, and prints in a line of JSON what it says of the one that it cannot load.
import { checkNames, loadTaskModules } from '../../src/task-classes/task-modules.ts';

for (const names of process.argv.slice(2)) {
  const message = await loadTaskModules(names.split(','))
    .then((classes) => checkNames(classes))
    .then(
      () => 'loaded',
      (error: Error) => error.message,
    );
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
