import { Component, type ReactNode } from 'react';

/** Stands in for a page that cannot be shown: after an upgrade of the server the code of pages not yet opened is gone. */
export class Broken extends Component<{ children: ReactNode }, { message: string | null }> {
  override state: { message: string | null } = { message: null };

  static getDerivedStateFromError(error: unknown) {
    return { message: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.message === null) return this.props.children;
    return (
      <div className="failure" role="alert">
        <p>This page cannot be shown; perhaps the server is a newer one by now. {this.state.message}</p>
        <button type="button" onClick={() => location.reload()}>
          Load it again
        </button>
      </div>
    );
  }
}
