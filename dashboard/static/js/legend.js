// The legend of the topology, with the same marks.
// @ts-check

import { html } from "./html.js";
import { Mark, SIGMA } from "./shapes.js";

const RADIUS = 6;

/** @param {any} props */
function Key({ role = "trainer", state = "alive", word }) {
  const peer = { role, state, phase: "waiting", progress: 0 };
  return html`<span class="key"
    ><svg viewBox="-10 -10 20 20" aria-hidden="true">${Mark(peer, RADIUS)}</svg>${word ?? role}</span
  >`;
}

/** @param {{word: string}} props */
function Phase({ word }) {
  return html`<span class="key"><i class=${`swatch phase-${word}`}></i>${word}</span>`;
}

export function Legend() {
  return html`<${Key} role="root" /><${Key} role="aggregator" /><${Key} role="standby" /><${Key} />
    <${Key} state="suspect" word="suspect" /><${Key} state="lost" word="lost" /><${Key} state="quarantined" word="quarantined" />
    <span class="key"><svg viewBox="-10 -10 20 20" aria-hidden="true"><g class="seat"><rect x="-9" y="-6" width="18" height="12" rx="6" /><path d=${SIGMA} transform="scale(.6)" /></g></svg>holder of the duty</span>
    <span class="divider"></span>
    <${Phase} word="training" /><${Phase} word="evaluating" /><${Phase} word="aggregating" /><${Phase} word="waiting" /><${Phase} word="finished" />
    <span class="divider"></span>
    <span class="key"><i class="line link"></i>connection</span>
    <span class="key"><i class="line branch"></i>reports to</span>
    <span class="key"><i class="arrow contribution"></i>contribution</span>
    <span class="key"><i class="arrow aggregate"></i>aggregate</span>
    <span class="key"><i class="arrow head"></i>new global model</span>`;
}
