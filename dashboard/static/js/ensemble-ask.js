// A form made from the ensemble's columns. It asks one question and draws the parts of the answer.
// @ts-check

import { Component } from "preact";

import { request } from "./api.js";
import { Answer } from "./ensemble-answer.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").Ensemble} Ensemble */
/** @typedef {import("./types.js").EnsembleColumn} Column */
/** @typedef {import("./types.js").EnsembleAnswer} EnsembleAnswer */

const COVERAGES = [0.5, 0.8, 0.9, 0.95, 0.99];
const DAY_MS = 86_400_000;

/** @extends {Component<{ensemble: Ensemble}, {answer: EnsembleAnswer | null, error: string, busy: boolean}>} */
export class Ask extends Component {
  state = { answer: null, error: "", busy: false };

  /**
   * @param {{ensemble: Ensemble}} props
   * @param {{answer: EnsembleAnswer | null, error: string, busy: boolean}} state
   */
  render({ ensemble }, { answer, error, busy }) {
    const { id, name, columns, input_shape: shape } = ensemble;
    return html`<section>
      <h3>Ask</h3>
      <div class="ask-and-answer">
        <form class="ask" aria-label=${`Ask ${name}`} onSubmit=${(/** @type {SubmitEvent} */ event) => this.#submit(event)}>
          ${columns.length > 0
            ? html`<div class="fields" tabindex="0" role="group" aria-label="Columns; an empty one is a missing value">
                ${columns.map((column, place) => html`<${Field} key=${column.name} id=${`${id.slice(0, 8)}-${place}`} column=${column} />`)}
              </div>`
            : html`<label>${`One example: ${shape.join(" × ")} numbers`}<textarea name="example" rows="4" placeholder="0.1, 0.2, 0.3" required></textarea></label>`}
          <div class="buttons">
            <button class="tool primary" disabled=${busy}>${busy ? "Asking…" : "Ask all members"}</button>
            ${columns.some(({ typical }) => typical !== null) && html`<button class="tool" type="button" onClick=${(/** @type {MouseEvent} */ event) => fillIn(event, columns)}>Fill in means</button>`}
            <label class="inline">Coverage
              <select name="coverage">${COVERAGES.map((share) => html`<option key=${share} value=${share} selected=${share === 0.9}>${100 * share} %</option>`)}</select>
            </label>
          </div>
        </form>
        <div class="answer" aria-live="polite">
          ${error && html`<p class="banner bad" role="alert">${error}</p>`}
          ${answer !== null && html`<${Answer} answer=${answer} />`}
          ${answer === null && !error && html`<p class="hint">The answer appears here: the combination, the interval, and each member's own answer. The values go to all members.</p>`}
        </div>
      </div>
    </section>`;
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const { ensemble } = /** @type {any} */ (this.props);
    const given = new FormData(/** @type {HTMLFormElement} */ (event.target));
    this.setState({ busy: true, error: "" });
    try {
      const answer = await request(`api/v1/ensembles/${ensemble.id}/predict`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ rows: [rowOf(given, ensemble)], coverage: Number(given.get("coverage")), detail: true }),
      });
      this.setState({ answer, busy: false });
    } catch (error) {
      this.setState({ answer: null, error: /** @type {Error} */ (error).message, busy: false });
    }
  }
}

/** @param {{id: string, column: Column}} props */
function Field({ id, column: { name, kind, categories } }) {
  const list = categories.length > 0 ? `${id}-known` : undefined;
  return html`<label for=${id}>${name}
    <input id=${id} name=${`column ${name}`} type=${kind === "date" ? "date" : "text"} inputmode=${kind === "number" ? "decimal" : undefined} list=${list} autocomplete="off" />
    ${list && html`<datalist id=${list}>${categories.map((known) => html`<option key=${known} value=${known}></option>`)}</datalist>`}
  </label>`;
}

/**
 * @param {FormData} given
 * @param {Ensemble} ensemble
 */
function rowOf(given, { columns, input_shape: shape }) {
  if (columns.length > 0) {
    return Object.fromEntries(columns.map(({ name }) => [name, String(given.get(`column ${name}`) ?? "").trim() || null]));
  }
  const numbers = String(given.get("example")).split(/[\s,;]+/).filter((word) => word !== "");
  const wrong = numbers.find((word) => !Number.isFinite(Number(word)));
  if (wrong !== undefined) throw new Error(`the example must be numbers, got ${JSON.stringify(wrong)}`);
  const size = shape.reduce((product, length) => product * length, 1);
  if (numbers.length !== size) throw new Error(`the example must have ${size} numbers, got ${numbers.length}`);
  return nested(numbers.map(Number), shape.slice(1));
}

/**
 * @param {any[]} numbers
 * @param {number[]} inner shape of each item
 * @returns {any[]}
 */
function nested(numbers, inner) {
  if (inner.length === 0) return numbers;
  const size = inner.reduce((product, length) => product * length, 1);
  const parts = [];
  for (let at = 0; at < numbers.length; at += size) parts.push(nested(numbers.slice(at, at + size), inner.slice(1)));
  return parts;
}

/**
 * Fill in the founder's means of numbers and dates.
 * @param {MouseEvent} event
 * @param {Column[]} columns
 */
function fillIn(event, columns) {
  const form = /** @type {HTMLButtonElement} */ (event.currentTarget).form;
  for (const { name, kind, typical } of columns) {
    const input = /** @type {HTMLInputElement | null} */ (form?.elements.namedItem(`column ${name}`) ?? null);
    if (input === null || typical === null) continue;
    input.value = kind === "date" ? dateOf(typical) : String(Number(typical.toPrecision(6)));
  }
}

/** @param {number} days since 1970-01-01 */
function dateOf(days) {
  const moment = new Date(Math.round(days) * DAY_MS);
  return Number.isNaN(moment.getTime()) ? "" : moment.toISOString().slice(0, 10);
}
