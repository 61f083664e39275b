// An empty tab: what it will show, and how to start it.
// @ts-check

import { html } from "./html.js";

/** @param {{title: string, lead: string, icon: string, will: string[], startText: string, start?: string}} props */
export function EmptyTab({ title, lead, icon, will, startText, start }) {
  return html`<section class="empty-tab" aria-labelledby="empty-heading">
    <svg viewBox="0 0 24 24" aria-hidden="true"><path d=${icon} /></svg>
    <h1 id="empty-heading">${title}</h1>
    <p class="lead">${lead}</p>
    <h2>What this tab will show</h2>
    <ul>${will.map((line) => html`<li key=${line}>${line}</li>`)}</ul>
    <p>${startText}</p>
    ${start && html`<pre tabindex="0">${start}</pre>`}
  </section>`;
}

export function Sessions() {
  return html`<${EmptyTab}
    title="Sessions"
    lead="This dashboard follows one session: the one that its swarm trains now."
    icon="M4 5h16v5H4zM4 14h16v5H4zM8 7.500h.010M8 16.500h.010"
    will=${[
      "the sessions that users started, with their models, data and results",
      "free peers, and peers that a session has reserved",
      "uploads, and the resulting models",
    ]}
    startText="Managed sessions are not part of this version. The first peer of a swarm starts a session:"
    start="python -m swarm.peer 0.0.0.0 7001 --model cnn --dataset cifar10 --rounds 20"
  />`;
}
