// Loads task classes of other people: the files and packages that TASK_MODULES names.
import { stat } from 'node:fs/promises';
import { createRequire, registerHooks } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { codeOf, reasonOf } from '../lib/describe-error.ts';
import { OperatorError } from '../lib/operator-error.ts';
import { isTaskClass, type TaskClass } from './task-class.ts';

/** What a module may take to load; one that waits for ever would keep the product from starting without a word. */
const LOAD_TIMEOUT_MS = 60_000;
const KIT = new URL('./kit.ts', import.meta.url).href;

/**
 * The classes of the modules, in their order. A name that begins with a dot or a slash is a file, or a folder whose
 * package.json has `main`; any other is a package that is installed beside the product. Throws an OperatorError that names
 * the module which does not load, or has no class.
 */
export async function loadTaskModules(names: readonly string[]): Promise<TaskClass[]> {
  if (names.length === 0) return [];
  // Wherever a module lies, `slotkeeper` is this product, so that there is one copy of what it exports. For good: a class
  // may import more when it runs.
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'slotkeeper' ? { url: KIT, shortCircuit: true } : next(specifier, context),
  });
  const classes: TaskClass[] = [];
  for (const name of names) classes.push(...(await loadModule(name)));
  return classes;
}

async function loadModule(name: string): Promise<TaskClass[]> {
  const exported = await importModule(name).catch((error: unknown) => {
    throw new OperatorError(`TASK_MODULES: ${name} cannot be loaded: ${hintOf(error) ?? reasonOf(error)}`);
  });
  const classes = [...new Set(Object.values(exported).flat())].filter(isTaskClass);
  if (classes.length > 0) return classes;
  throw new OperatorError(`TASK_MODULES: ${name} must export a task class that defineTaskClass returned, got none`);
}

async function importModule(name: string): Promise<Record<string, unknown>> {
  const specifier = await specifierOf(name);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it took more than ${LOAD_TIMEOUT_MS / 1_000} seconds`)),
      LOAD_TIMEOUT_MS,
    );
  });
  try {
    return await Promise.race([import(specifier), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function specifierOf(name: string): Promise<string> {
  if (!name.startsWith('.') && !isAbsolute(name)) return name;
  const path = resolve(name);
  const isFolder = (await stat(path)).isDirectory();
  return pathToFileURL(isFolder ? createRequire(import.meta.url).resolve(path) : path).href;
}

/** What is to be done about faults that Node's own message does not tell. */
function hintOf(error: unknown): string | null {
  const code = codeOf(error);
  if (code === 'ERR_MODULE_NOT_FOUND') return `${reasonOf(error)}; the name of a file begins with ./ or /`;
  if (code !== 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') return null;
  return 'a package below node_modules is to be published as JavaScript; a folder beside can be TypeScript as it is';
}

/** Throws an OperatorError where two classes have one name: a task could not say which of them it means. */
export function checkNames(classes: readonly TaskClass[]): void {
  const names = classes.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) throw new OperatorError(`TASK_MODULES: there are two task classes named ${repeated}.`);
}
