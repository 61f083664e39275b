// The escaping `html` tag, and `render`.
// @ts-check

import htm from "htm";
import { h, render } from "preact";

export const html = htm.bind(h);
export { render };
