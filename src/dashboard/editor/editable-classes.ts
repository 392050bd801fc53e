import { type DataField, fieldOf } from './data-fields.ts';
import type { TaskClass } from './task-policy.ts';

/** The task classes, each with the field for its data. */
export class EditableClasses {
  readonly all: readonly TaskClass[];
  readonly #fields = new Map<string, DataField>();

  constructor(all: readonly TaskClass[]) {
    this.all = all;
    for (const { name, dataSchema } of all) this.#fields.set(name, fieldOf(dataSchema));
  }

  named(name: string): TaskClass | undefined {
    return this.all.find((each) => each.name === name);
  }

  /** The field for the data of a class; the data of an unknown class are edited as JSON. */
  dataField(name: string): DataField {
    return this.#fields.get(name) ?? { kind: 'json', label: 'Data', hint: null };
  }
}
