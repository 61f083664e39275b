// Test accuracy and loss by round or by time: the mean of all peers, and each peer's own.
// @ts-check

import uPlot from "uplot";

import { duration } from "./format.js";
import { html, render } from "./html.js";
import { CurveLegend } from "./curve-legend.js";
import { download, plotImage } from "./export.js";
import { GLOBAL, TRAINING, csvOf, lastRound, places, roundsOf, seriesOf, trainingOf } from "./series.js";

/** @typedef {import("./series.js").Series} Series */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./theme.js").Theme} Theme */

const METRICS = /** @type {const} */ (["accuracy", "loss"]);

/** @typedef {typeof METRICS[number]} Metric */
/** @typedef {{plot: uPlot | null, metric: Metric, place: HTMLElement}} Chart */

export class Curves {
  /** @type {Chart[]} */
  #charts;
  /** @type {number[]} */
  #x = [];
  #shape = "";
  /** @type {Series[]} */
  series = [];
  /** Rounds that have a point, and places between them where training was seen. @type {number[]} */
  rounds = [];
  /** The round under the pointer, as an index; null for the newest. @type {number | null} */
  cursor = null;
  /** Ids of the highlighted series; the other ones fade. @type {Set<string>} */
  compared = new Set();
  /** @type {Set<string>} */
  hidden = new Set();
  /** @type {import("./series.js").Axis} */
  axis = "round";

  /**
   * @param {Record<Metric | "head" | "legend" | "empty", HTMLElement>} places
   * @param {Store} store
   * @param {Theme} theme
   * @param {() => void} loadPast
   */
  constructor(places, store, theme, loadPast) {
    this.places = places;
    this.store = store;
    this.theme = theme;
    this.loadPast = loadPast;
    this.#charts = METRICS.map((metric) => ({ plot: null, metric, place: places[metric] }));
    theme.addEventListener("change", () => {
      this.#shape = "";
      this.render();
    });
    for (const chart of this.#charts) {
      new ResizeObserver(() => this.#fit(chart)).observe(chart.place);
    }
  }

  /** The plots, for tests. */
  get plots() {
    return this.#charts.map(({ plot }) => plot);
  }

  render() {
    const snapshot = this.store.shown;
    if (snapshot === null) {
      this.#renderHead();
      return;
    }
    if (this.axis === "time") this.loadPast();
    // Training has no times of its own: it is drawn by round only.
    this.series = [...(this.axis === "round" ? trainingOf(snapshot) : []), ...seriesOf(snapshot)];
    this.rounds = roundsOf(this.series);
    const x = places(this.rounds, this.axis, this.store.past);
    this.#x = x ?? [];
    this.#renderHead();
    this.#renderEmpty(x === null);
    const shape = JSON.stringify([
      this.#x.length === 0,
      this.axis,
      this.store.selected,
      [...this.compared],
      [...this.hidden],
      this.series.map((series) => [series.id, series.name, series.points.length < 2]),
      this.store.shown?.finished,
    ]);
    if (shape !== this.#shape) this.#rebuild();
    else for (const chart of this.#charts) chart.plot?.setData(this.#data(chart.metric));
    this.#shape = shape;
    this.renderLegend();
  }

  /** @param {string} id of the series to highlight, or to highlight no longer */
  compare(id) {
    if (!this.compared.delete(id)) this.compared.add(id);
    this.hidden.delete(id);
    this.render();
  }

  /** @param {string} id of the series to hide, or to show again */
  hide(id) {
    if (!this.hidden.delete(id)) this.hidden.add(id);
    this.compared.delete(id);
    this.render();
  }

  hideOthers() {
    for (const { id } of this.series) {
      if (id !== GLOBAL && !this.stands(id)) this.hidden.add(id);
    }
    this.render();
  }

  showAll() {
    this.hidden.clear();
    this.compared.clear();
    this.render();
  }

  /** @param {string | null} id of the series under the pointer in the legend */
  hover(id) {
    const index = this.series.findIndex((series) => series.id === id);
    for (const { plot } of this.#charts) {
      plot?.setSeries(index < 0 ? null : index + 1, { focus: true }, false);
    }
  }

  /** @param {string} id */
  stands(id) {
    return this.compared.has(id) || id === this.store.selected;
  }

  renderLegend() {
    render(this.#x.length === 0 ? null : html`<${CurveLegend} curves=${this} />`, this.places.legend);
  }

  #renderHead() {
    /** @param {import("./series.js").Axis} axis */
    const choose = (axis) => () => {
      this.axis = axis;
      this.render();
    };
    const none = this.#x.length === 0;
    render(
      html`<h2 id="curves-heading">Accuracy and loss</h2>
        <p class="hint">on the peers' test shards</p>
        <div class="tools">
          <div class="switch" role="group" aria-label="Horizontal axis">
            <button aria-pressed=${String(this.axis === "round")} onClick=${choose("round")}>Round</button>
            <button aria-pressed=${String(this.axis === "time")} onClick=${choose("time")}>Time</button>
          </div>
          <button class="tool" disabled=${none} onClick=${() => this.#exportPng()}>PNG</button>
          <button class="tool" disabled=${none} onClick=${() => this.#exportCsv()}>CSV</button>
        </div>`,
      this.places.head,
    );
  }

  /** @param {boolean} noTimes */
  #renderEmpty(noTimes) {
    this.places.empty.hidden = this.#x.length > 0;
    this.places.empty.textContent =
      noTimes && this.rounds.length > 0
        ? "The times of the rounds are not known yet: the peers' ledgers must report at least two."
        : "Nothing to draw yet. The first points appear while the peers train.";
  }

  #rebuild() {
    for (const chart of this.#charts) {
      chart.plot?.destroy();
      chart.plot =
        this.#x.length === 0
          ? null
          : new uPlot(this.#options(chart.metric, chart.place), this.#data(chart.metric), chart.place);
    }
  }

  /**
   * @param {Metric} metric
   * @returns {uPlot.AlignedData}
   */
  #data(metric) {
    const columns = this.series.map((series) => {
      const byRound = new Map(series.points.map((point) => [point.round, point[metric]]));
      return this.rounds.map((round) => byRound.get(round) ?? null);
    });
    return /** @type {uPlot.AlignedData} */ ([this.#x, ...columns]);
  }

  /**
   * @param {Metric} metric
   * @param {HTMLElement} place
   * @returns {uPlot.Options}
   */
  #options(metric, place) {
    const axis = {
      stroke: this.theme.colour("--muted"),
      grid: { stroke: this.theme.colour("--grid"), width: 1 },
      ticks: { show: false },
      font: "11px Inter, system-ui, sans-serif",
    };
    const isShare = metric === "accuracy";
    const byTime = this.axis === "time";
    return {
      width: place.clientWidth,
      height: place.clientHeight,
      padding: [22, 14, 0, 0],
      legend: { show: false },
      focus: { alpha: 0.18 },
      cursor: { y: false, sync: { key: "rounds" }, drag: { x: false, y: false } },
      scales: {
        x: { time: false, range: (_plot, low, high) => (byTime ? [low, Math.max(high, low + 1)] : this.#span(low, high)) },
        y: { range: (_plot, low, high) => (isShare ? shareRange(low, high) : lossRange(high)) },
      },
      axes: [
        byTime
          ? { ...axis, size: 28, space: 60, incrs: TIME_STEPS, values: (_plot, ticks) => ticks.map(duration) }
          : { ...axis, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], space: 34 },
        {
          ...axis,
          size: 46,
          space: 26,
          values: (_plot, ticks) => ticks.map((tick) => (isShare ? share(tick) : loss(tick))),
        },
      ],
      series: [{}, ...this.series.map((series) => this.#line(series))],
      hooks: { setCursor: [(plot) => this.#point(plot.cursor.idx ?? null)] },
    };
  }

  /**
   * The rounds on the axis.
   * @param {number | null} low
   * @param {number | null} high
   * @returns {[number, number]}
   */
  #span(low, high) {
    const { session, finished } = /** @type {import("./types.js").Snapshot} */ (this.store.shown);
    const first = Math.floor(low ?? 0);
    return [first, Math.max(first + 1, lastRound(high ?? 0, session?.rounds ?? 1, finished || this.store.replaying))];
  }

  /**
   * @param {Series} series
   * @returns {uPlot.Series}
   */
  #line(series) {
    if (series.id === TRAINING) return this.#thinLine(series);
    const isGlobal = series.id === GLOBAL;
    const stands = this.stands(series.id);
    const many = series.colour === "--series-many";
    const comparing = this.compared.size > 0 || this.store.selected !== "";
    return {
      label: series.name,
      show: !this.hidden.has(series.id),
      stroke: this.theme.colour(this.colourOf(series)),
      alpha: comparing && !stands && !isGlobal ? 0.28 : 1,
      width: isGlobal ? 2.75 : stands ? 2.5 : many ? 0.75 : 1.5,
      points: { show: series.points.length < 2 || (!many && this.rounds.length <= 16), size: 5 },
      spanGaps: true,
    };
  }

  /**
   * @param {Series} series
   * @returns {uPlot.Series}
   */
  #thinLine(series) {
    return {
      label: series.name,
      show: !this.hidden.has(series.id),
      stroke: this.theme.colour(series.colour),
      width: 1,
      dash: [3, 3],
      points: { show: series.points.length < 2, size: 4 },
      spanGaps: true,
    };
  }

  /**
   * Where most series are grey, the compared ones get colours.
   * @param {Series} series
   */
  colourOf(series) {
    if (series.colour !== "--series-many" || !this.stands(series.id)) return series.colour;
    const at = [...this.compared].indexOf(series.id);
    return at < 0 ? "--accent" : `--series-${(at % 7) + 1}`;
  }

  /** @param {number | null} index */
  #point(index) {
    if (index === this.cursor) return;
    this.cursor = index;
    this.renderLegend();
  }

  /** @param {Chart} chart */
  #fit({ plot, place }) {
    if (place.clientWidth === 0) return;
    plot?.setSize({ width: place.clientWidth, height: place.clientHeight });
  }

  get #fileName() {
    return `swarm-${this.store.snapshot?.session?.id.slice(0, 8) ?? "run"}`;
  }

  #exportCsv() {
    const text = csvOf(this.series, this.store.past);
    download(new Blob([text], { type: "text/csv" }), `${this.#fileName}-curves.csv`);
  }

  async #exportPng() {
    const shown = this.series.filter(({ id }) => !this.hidden.has(id));
    const plots = this.#charts.flatMap(({ plot }) => (plot === null ? [] : [plot.ctx.canvas]));
    const keys = shown
      .toReversed()
      .map((series) => ({ name: series.name, colour: this.theme.colour(this.colourOf(series)) }));
    const session = this.store.shown?.session;
    const title = `${session?.model} on ${session?.dataset_label}: accuracy and loss by ${this.axis}`;
    const image = await plotImage(plots, keys, title, (token) => this.theme.colour(token));
    download(image, `${this.#fileName}-curves.png`);
  }
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/**
 * @param {number | null} low
 * @param {number | null} high
 * @returns {[number, number]}
 */
function shareRange(low, high) {
  return [Math.max(0, Math.floor((low ?? 0) * 10 - 0.3) / 10), Math.min(1, Math.ceil((high ?? 1) * 10 + 0.3) / 10)];
}

/**
 * @param {number | null} high
 * @returns {[number, number]}
 */
function lossRange(high) {
  return [0, (high ?? 1) * 1.08 || 1];
}

/** @param {number} tick */
function share(tick) {
  return `${Math.round(tick * 100)} %`;
}

/** @param {number} tick */
function loss(tick) {
  return String(Math.round(tick * 100) / 100);
}
