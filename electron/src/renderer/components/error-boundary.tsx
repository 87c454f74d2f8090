// A page that fails takes only itself down.
import { Component } from "react";
import type { ReactNode } from "react";
import { ErrorNotice } from "./error-notice.js";

interface State {
  error: unknown;
}

export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="page">
        <ErrorNotice error={this.state.error} title="This page has failed" retry={() => this.setState({ error: null })} />
      </div>
    );
  }
}
