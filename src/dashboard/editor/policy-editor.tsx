import { Field } from './form-parts.tsx';
import type { TaskForm } from './task-form.ts';
import { defaultPolicy, POLICY, POLICY_NAMES, type PolicyName, type TaskClass } from './task-policy.ts';

interface PolicyEditorProps {
  policy: TaskForm['policy'];
  taskClass: TaskClass | undefined;
  faults: ReadonlyMap<string, string>;
  onChange: (policy: TaskForm['policy']) => void;
}

/** Overlap, catch-up, retries and timeout. An empty field stands for the default of the class. */
export function PolicyEditor({ policy, taskClass, faults, onChange }: PolicyEditorProps) {
  const defaults = defaultPolicy(taskClass);
  const isOwn = (name: PolicyName) => policy[name] !== '' && policy[name] !== String(defaults[name] ?? '');
  const own = POLICY_NAMES.filter(isOwn).map((name) => POLICY[name].label);
  return (
    <details className="policy">
      <summary>
        <h2>Policy</h2> <span className="quiet">{own.length === 0 ? 'defaults' : `changed: ${own.join('; ')}`}</span>
      </summary>
      <div className="policy-inputs">
        {POLICY_NAMES.map((name) => {
          const { label, hint, accepts } = POLICY[name];
          const preset = defaults[name];
          const change = (event: { target: { value: string } }) => onChange({ ...policy, [name]: event.target.value });
          return (
            <Field key={name} label={label} hint={hint} fault={faults.get(`input.policy.${name}`)}>
              {(ties) =>
                typeof accepts === 'string' ? (
                  <input
                    {...ties}
                    inputMode={accepts === 'whole' ? 'numeric' : 'decimal'}
                    autoComplete="off"
                    placeholder={preset === null ? 'no limit' : String(preset)}
                    value={policy[name]}
                    onChange={change}
                  />
                ) : (
                  <select {...ties} value={policy[name]} onChange={change}>
                    <option value="">Default: {accepts.find(([each]) => each === preset)?.[1]}</option>
                    {accepts.map(([each, words]) => (
                      <option key={each} value={each}>
                        {words}
                      </option>
                    ))}
                  </select>
                )
              }
            </Field>
          );
        })}
      </div>
    </details>
  );
}
