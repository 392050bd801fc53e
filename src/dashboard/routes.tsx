// The pages: which address shows which, and which of them the navigation lists. The gateway serves the page at the same
// addresses (`src/http/dashboard.ts`).
import { type ComponentType, lazy, useState } from 'react';
import type { Role } from './operations.ts';
import { NowPage } from './pages/now.tsx';

interface Page {
  path: string;
  /** Its name in the navigation; without one it is not listed there. */
  label?: string;
  /** Who may open it; everybody unless given. */
  role?: Role;
  page: PageComponent;
}

type PageComponent = ComponentType<{ id: string }> & {
  /** Loads the page's code, so that it is shown without waiting for it. */
  load?: () => Promise<unknown>;
};

/** A page whose code is loaded once somebody opens it. */
function later<Name extends string>(
  load: () => Promise<Record<Name, ComponentType<{ id: string }>>>,
  name: Name,
): PageComponent {
  let loaded: ComponentType<{ id: string }> | undefined;
  const loadOnce = async () => {
    loaded ??= (await load())[name];
    return { default: loaded };
  };
  const Later = lazy(loadOnce);
  // What has shown "Loading…" is kept from view by React for 300 ms; a page that is there is shown at once.
  const Page: PageComponent = ({ id }) => {
    const [Content] = useState(() => loaded ?? Later);
    return <Content id={id} />;
  };
  Page.load = loadOnce;
  return Page;
}

/** The first that fits is shown. `:id` is the id of what it shows; each has a page of its own. */
export const PAGES: readonly Page[] = [
  { path: '/', label: 'Now', page: NowPage },
  { path: '/tasks', label: 'Tasks', page: later(() => import('./pages/tasks.tsx'), 'TasksPage') },
  { path: '/tasks/new', page: later(() => import('./pages/edit-task.tsx'), 'NewTaskPage') },
  { path: '/tasks/:id/edit', page: later(() => import('./pages/edit-task.tsx'), 'EditTaskPage') },
  { path: '/tasks/:id', page: later(() => import('./pages/task.tsx'), 'TaskPage') },
  { path: '/timeline', label: 'Timeline', page: later(() => import('./pages/timeline.tsx'), 'TimelinePage') },
  { path: '/runs/:id', page: later(() => import('./pages/run.tsx'), 'RunPage') },
  { path: '/log', label: 'Log', page: later(() => import('./pages/log.tsx'), 'LogPage') },
  {
    path: '/legacy-callers',
    label: 'Legacy callers',
    role: 'ADMIN',
    page: later(() => import('./pages/legacy-callers.tsx'), 'LegacyCallersPage'),
  },
  {
    path: '/api-keys',
    label: 'API keys',
    role: 'ADMIN',
    page: later(() => import('./pages/api-keys.tsx'), 'ApiKeysPage'),
  },
];
