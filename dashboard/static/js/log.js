// The Log tab: all alerts, and all events that this dashboard saw, newest first.
// @ts-check

import { AlertLine } from "./alerts.js";
import { duration, plural } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./store.js").Store} Store */

/** @param {{store: Store}} props */
export function Log({ store }) {
  const events = store.shown?.events ?? [];
  const alerts = store.shown?.alerts ?? [];
  return html`<h1 class="spoken">Log</h1>
    <div class="two">
      <section class="card log" aria-labelledby="log-heading">
        <div class="card-head">
          <h2 id="log-heading">Events</h2>
          <p class="hint">${plural(events.length, "event")} since this dashboard started, newest first</p>
          <div class="tools"><a class="tool" href="api/v1/events.jsonl" download="events.jsonl">Export as JSON lines</a></div>
        </div>
        <div class="scroll tall" tabindex="0" role="region" aria-label="Events, newest first">
          ${events.length === 0
            ? html`<p class="nothing">Nothing has happened yet. Joining peers, new models and lost peers appear here.</p>`
            : html`<ol>${events.toReversed().map((event) => html`<${Line} key=${event.seq} event=${event} store=${store} />`)}</ol>`}
        </div>
      </section>
      <section class="card alerts" aria-labelledby="log-alerts-heading">
        <div class="card-head">
          <h2 id="log-alerts-heading">Alerts</h2>
          <p class="hint">of the whole run, from the peers' ledgers</p>
        </div>
        <div class="scroll tall" tabindex="0" role="region" aria-label="Alerts of the whole run">
          ${alerts.length === 0
            ? html`<p class="nothing">No peer has reported an alert.</p>`
            : html`<ol class="alert-list">${alerts.toReversed().map((alert) => html`<${AlertLine} key=${alert.id} alert=${alert} store=${store} />`)}</ol>`}
        </div>
      </section>
    </div>`;
}

/** @param {{event: import("./types.js").LogEvent, store: Store}} props */
function Line({ event, store }) {
  const { peer } = event;
  return html`<li>
    <time>${duration(event.elapsed_s)}</time>
    <span class=${`kind ${event.kind} ${event.severity}`}>${event.kind}</span>
    <span class="text"
      >${event.text}${peer !== null &&
      html` <button class="link-button" onClick=${() => store.select(peer)}>${store.nameOf(peer)}</button>`}</span
    >
  </li>`;
}
