// The operator's sheet: signing in, commands, and what the peers report about them.
// @ts-check

import { request } from "./api.js";
import { clock, percent, plural } from "./format.js";
import { html, render } from "./html.js";
import { isGone } from "./peer-states.js";

/** @typedef {import("./types.js").Command} Command */
/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./store.js").Store} Store */

const STATE_WORDS = { pending: "pending", confirmed: "confirmed", partial: "partly confirmed", expired: "expired" };

export class OperatorSheet {
  /** Whether this browser is signed in, as the server says. */
  #signedIn = false;
  #csrf = "";
  #error = "";
  #busy = false;
  /** The action that waits for a confirming click, with its peer. */
  #asked = "";

  /**
   * @param {HTMLDialogElement} dialog
   * @param {Store} store
   * @param {() => void} changed
   */
  constructor(dialog, store, changed) {
    this.dialog = dialog;
    this.store = store;
    this.changed = changed;
    dialog.addEventListener("close", () => {
      this.#asked = this.#error = "";
    });
  }

  get mayCommand() {
    return this.#signedIn && this.store.snapshot?.operator.enabled === true;
  }

  open() {
    if (!this.dialog.open) this.dialog.showModal();
    this.render();
    void this.refresh();
  }

  /** Ask the server whether this browser is signed in. */
  async refresh() {
    await this.#try(async () => {
      const answer = await request("api/v1/operator");
      this.#signedIn = answer.signed_in === true;
      this.#csrf = answer.csrf ?? "";
    });
  }

  render() {
    if (!this.dialog.open) return;
    const operator = this.store.snapshot?.operator;
    render(
      html`<header class="panel-head">
          <h2 id="operator-heading">Operator</h2>
          <button class="close" aria-label="Close" onClick=${() => this.dialog.close()}>✕</button>
        </header>
        <div class="sheet-body">
          ${this.#error && html`<p class="banner bad" role="alert">${this.#error}</p>`}
          ${operator?.enabled ? (this.#signedIn ? this.#controls(operator) : this.#signIn()) : Disabled()}
          ${operator && (operator.commands.length > 0 || this.#signedIn) && html`<${Commands} store=${this.store} />`}
        </div>`,
      this.dialog,
    );
  }

  /**
   * The commands for one peer, for its panel.
   * @param {Peer} peer
   */
  peerActions(peer) {
    const operator = this.store.snapshot?.operator;
    if (!operator?.enabled || this.store.replaying) return null;
    const removed = operator.removed.includes(peer.id);
    const action = removed ? "readmit" : "remove";
    if (!this.mayCommand) {
      return html`<section><h3>Operator</h3><button class="tool" onClick=${() => this.open()}>Sign in to remove this peer</button></section>`;
    }
    const pending = this.#pendingFor(action, peer.id);
    return html`<section>
      <h3>Operator</h3>
      ${this.#error && html`<p class="note bad" role="alert">${this.#error}</p>`}
      ${pending
        ? html`<p class="is-pending"><i></i>${removed ? "Readmitting" : "Removing"}: ${waiting(pending)}</p>`
        : this.#button(removed ? "Readmit this peer" : "Remove this peer", action, peer.id, null, !removed)}
    </section>`;
  }

  #signIn() {
    /** @param {SubmitEvent} event */
    const submit = (event) => {
      event.preventDefault();
      const form = /** @type {HTMLFormElement} */ (event.target);
      const token = String(new FormData(form).get("token") ?? "");
      form.reset();
      void this.#signInWith(token);
    };
    return html`<form class="sign-in" onSubmit=${submit}>
      <p>To give commands, sign in with the token that the dashboard was started with.</p>
      <label>Token <input name="token" type="password" autocomplete="off" required maxlength="512" /></label>
      <button class="tool primary" disabled=${this.#busy}>Sign in</button>
    </form>`;
  }

  /** @param {string} token */
  async #signInWith(token) {
    await this.#try(async () => {
      const answer = await request("api/v1/operator/session", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token }),
      });
      this.#signedIn = true;
      this.#csrf = answer.csrf;
    });
  }

  async #signOut() {
    await this.#try(async () => {
      await request("api/v1/operator/session", { method: "DELETE", headers: { "x-csrf-token": this.#csrf } });
      this.#signedIn = false;
      this.#csrf = "";
    });
  }

  /** @param {import("./types.js").Operator} operator */
  #controls(operator) {
    const { run_state, agreed, drop_threshold } = operator;
    const can = {
      start: run_state === "held",
      pause: run_state === "running",
      resume: run_state === "paused",
      stop: run_state !== "stopped",
    };
    return html`<section>
        <h3>The run</h3>
        <p>The peers report <strong>${run_state}</strong>${agreed ? "" : ", but not all of them yet"}.</p>
        <div class="buttons">
          ${this.#button("Start", "start", null, null, false, !can.start)}
          ${this.#button("Pause", "pause", null, null, false, !can.pause)}
          ${this.#button("Resume", "resume", null, null, false, !can.resume)}
          ${this.#button("Stop", "stop", null, null, true, !can.stop)}
        </div>
      </section>
      ${this.#threshold(drop_threshold)}
      <section>
        <h3>Peers</h3>
        <p class="hint">Open a peer to remove it or to readmit it.${
          operator.removed.length > 0
            ? ` Removed: ${operator.removed.map((id) => this.store.nameOf(id)).join(", ")}.`
            : ""
        }</p>
        <p><button class="link-button" onClick=${() => this.#signOut()}>Sign out</button></p>
      </section>`;
  }

  /** @param {number} value */
  #threshold(value) {
    /** @param {SubmitEvent} event */
    const submit = (event) => {
      event.preventDefault();
      const points = Number(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("points"));
      void this.#give("threshold", null, points / 100);
    };
    const pending = this.#pendingFor("threshold", null);
    return html`<section>
      <h3>Alert threshold</h3>
      <form class="threshold" onSubmit=${submit}>
        <label>Alert when the accuracy falls by more than <input name="points" type="number" min="0.1" max="100" step="0.1" required placeholder=${(100 * value).toFixed(1)} />
          points</label>
        <button class="tool" disabled=${this.#busy}>Set</button>
      </form>
      <p class="hint">${pending ? html`<span class="is-pending"><i></i>${percent(pending.value)}: ${waiting(pending)}</span>` : `The peers report ${percent(value)}.`}</p>
    </section>`;
  }

  /**
   * @param {string} text
   * @param {string} action
   * @param {string | null} peer
   * @param {number | null} value
   * @param {boolean} twice whether a second click must confirm it
   * @param {boolean} [disabled]
   */
  #button(text, action, peer, value, twice, disabled = false) {
    const pending = this.#pendingFor(action, peer);
    const key = `${action} ${peer}`;
    const asked = this.#asked === key;
    const click = () => {
      if (twice && !asked) {
        this.#asked = key;
        this.#changed();
        return;
      }
      this.#asked = "";
      void this.#give(action, peer, value);
    };
    const words = pending ? `${text}: pending` : asked ? `Confirm: ${text.toLowerCase()}` : text;
    return html`<button
      class=${`tool ${twice ? "danger" : ""} ${asked ? "asked" : ""}`}
      disabled=${disabled || this.#busy || pending !== undefined}
      onClick=${click}
    >
      ${words}
    </button>`;
  }

  /**
   * @param {string} action
   * @param {string | null} peer
   */
  #pendingFor(action, peer) {
    return this.store.snapshot?.operator.commands.find(
      (command) => command.state === "pending" && command.action === action && command.peer === peer,
    );
  }

  /**
   * Give a command. Its effect is shown when the peers report it.
   * @param {string} action
   * @param {string | null} peer
   * @param {number | null} value
   */
  async #give(action, peer, value) {
    await this.#try(async () => {
      await request("api/v1/operator/commands", {
        method: "POST",
        headers: { "content-type": "application/json", "x-csrf-token": this.#csrf },
        body: JSON.stringify({ action, ...(peer === null ? {} : { peer }), ...(value === null ? {} : { value }) }),
      });
    });
  }

  /** @param {() => Promise<void>} task */
  async #try(task) {
    this.#busy = true;
    this.#error = "";
    this.#changed();
    try {
      await task();
    } catch (error) {
      this.#error = error instanceof Error ? error.message : String(error);
    }
    this.#busy = false;
    this.#changed();
  }

  #changed() {
    this.render();
    this.changed();
  }
}

function Disabled() {
  return html`<p>This dashboard only watches. To give commands to a swarm, start the dashboard with an operator's key, and start the peers with the id that it prints:</p>
    <pre tabindex="0">${"python -m dashboard --bootstrap <ip:port> --operator-key key/\npython -m swarm.peer … --operator <id>"}</pre>
    <p class="hint">A peer only obeys the operators that it was configured to trust. <code>--help</code> lists the options.</p>`;
}

/** @param {{store: Store}} props */
function Commands({ store }) {
  const commands = store.snapshot?.operator.commands ?? [];
  return html`<section>
    <h3>Commands</h3>
    ${commands.length === 0
      ? html`<p class="hint">No command was given yet. A command is pending until the peers report it.</p>`
      : html`<ol class="commands">${commands.toReversed().map((command) => html`<${Line} key=${command.id} command=${command} store=${store} />`)}</ol>`}
  </section>`;
}

/** @param {{command: Command, store: Store}} props */
function Line({ command, store }) {
  const { action, peer, value, state, unix_s } = command;
  const what = [action, peer === null ? "" : store.nameOf(peer), value === null ? "" : percent(value)];
  return html`<li class=${`command ${state}`}>
    <time>${clock(unix_s)}</time>
    <b>${what.filter(Boolean).join(" ")}</b>
    <span class="command-state">${STATE_WORDS[state]}</span>
    <span class="hint">${state === "confirmed" ? `by ${plural(command.confirmed_by.length, "peer")}` : waiting(command, store)}</span>
  </li>`;
}

/**
 * @param {Command} command
 * @param {Store} [store]
 */
function waiting(command, store) {
  const { confirmed_by, waiting_for } = command;
  const live = store
    ? waiting_for.filter((id) => !isGone(store.snapshot?.peers.find((peer) => peer.id === id)))
    : waiting_for;
  const names = store && live.length <= 4 ? `: ${live.map((id) => store.nameOf(id)).join(", ")}` : "";
  return `${confirmed_by.length} of ${confirmed_by.length + live.length} peers report it${live.length > 0 && names ? `, waiting for ${live.length}${names}` : ""}`;
}
