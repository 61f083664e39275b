// The topology's legend.
// @ts-check

import { html } from "./html.js";

export function Legend() {
  return html`<span class="key"><svg viewBox="0 0 16 16" aria-hidden="true"><path class="mark root" d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" /><path class="inner" d="M8 3.4l1.4 2.9 3.2.4-2.3 2.2.6 3.2L8 10.6l-2.9 1.5.6-3.2-2.3-2.2 3.2-.4z" /></svg>root</span>
    <span class="key"><svg viewBox="0 0 16 16" aria-hidden="true"><path class="mark aggregator" d="M4.5 2h7L15 8l-3.500 6h-7L1 8z" /></svg>aggregator</span>
    <span class="key"><svg viewBox="0 0 16 16" aria-hidden="true"><circle class="mark standby" cx="8" cy="8" r="6.500" /><circle class="ring" cx="8" cy="8" r="4" /></svg>standby</span>
    <span class="key"><svg viewBox="0 0 16 16" aria-hidden="true"><circle class="mark" cx="8" cy="8" r="6" /></svg>trainer</span>
    <span class="key"><svg viewBox="0 0 16 16" aria-hidden="true"><circle class="mark gone" cx="8" cy="8" r="6" /><path class="cross" d="M5 5l6 6m0-6-6 6" /></svg>lost</span>
    <span class="divider"></span>
    <span class="key"><i class="swatch phase-training"></i>training</span>
    <span class="key"><i class="swatch phase-evaluating"></i>evaluating</span>
    <span class="key"><i class="swatch phase-aggregating"></i>aggregating</span>
    <span class="key"><i class="swatch phase-waiting"></i>waiting</span>
    <span class="key"><i class="swatch phase-finished"></i>finished</span>
    <span class="divider"></span>
    <span class="key"><i class="arrow contribution"></i>contribution</span>
    <span class="key"><i class="arrow aggregate"></i>aggregate</span>
    <span class="key"><i class="arrow head"></i>new global model</span>`;
}
