// The pages with their paths, and which of them the navigation lists. The gateway serves the dashboard at the same
// paths (`src/http/dashboard.ts`).
import { type ComponentType, lazy, useState } from 'react';
import type { Role } from './operations.ts';
import { NowPage } from './pages/now.tsx';

interface Page {
  path: string;
  /** Its name in the navigation, which does not list a page without one. */
  label?: string;
  /** The role that may open it; by default all may. */
  role?: Role;
  page: PageComponent;
}

type PageComponent = ComponentType<{ id: string }> & {
  /** Preloads the page's code, so that the page shows without "Loading…". */
  load?: () => Promise<unknown>;
};

/** A page whose code is loaded when it is first opened. */
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
  // Once React has shown "Loading…" it delays the page for 300 ms. A page whose code is loaded must show at once.
  const Page: PageComponent = ({ id }) => {
    const [Content] = useState(() => loaded ?? Later);
    return <Content id={id} />;
  };
  Page.load = loadOnce;
  return Page;
}

/** The first that matches is shown. `:id` is the id of what the page shows. */
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
