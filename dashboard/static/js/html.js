// The escaping `html` tag, `render`, and a component that is drawn again only when told.
// @ts-check

import htm from "htm";
import { Component, h, render } from "preact";

export const html = htm.bind(h);
export { render };

/**
 * Draws once for each value of `sign`: what it shows must follow from that alone.
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
