// The escaping `html` tag, `render`, and a component that is drawn again only when its key changes.
// @ts-check

import htm from "htm";
import { Component, h, render } from "preact";

export const html = htm.bind(h);
export { render };

/**
 * Draws once for each value of `sign`. Its content must depend on `sign` alone.
 * @extends {Component<{sign: string, draw: () => any}>}
 */
export class Memo extends Component {
  /** @param {{sign: string}} next */
  shouldComponentUpdate(next) {
    return next.sign !== /** @type {any} */ (this.props).sign;
  }

  /** @param {any} props */
  render({ draw }) {
    return draw();
  }
}
