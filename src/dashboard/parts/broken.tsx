import { Component, type ReactNode } from 'react';

/** Replaces a page that failed to load or render. After a server upgrade, the code of pages not yet opened is deleted. */
export class Broken extends Component<{ children: ReactNode }, { message: string | null }> {
  override state: { message: string | null } = { message: null };

  static getDerivedStateFromError(error: unknown) {
    return { message: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.message === null) return this.props.children;
    return (
      <div className="failure" role="alert">
        <p>This page cannot be shown. The server may have been upgraded. {this.state.message}</p>
        <button type="button" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    );
  }
}
