// The colour theme: that of the system, or the user's choice. It resolves colours for canvases.
// @ts-check

const CHOICES = /** @type {const} */ (["auto", "light", "dark"]);

export class Theme extends EventTarget {
  #dark = matchMedia("(prefers-color-scheme: dark)");
  /** @type {Map<string, string>} */
  #colours = new Map();

  constructor() {
    super();
    this.#dark.addEventListener("change", () => this.#changed());
  }

  /** @returns {"auto" | "light" | "dark"} */
  get choice() {
    const chosen = document.documentElement.dataset.theme;
    return chosen === "light" || chosen === "dark" ? chosen : "auto";
  }

  next() {
    const choice = CHOICES[(CHOICES.indexOf(this.choice) + 1) % CHOICES.length];
    if (choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    try {
      localStorage.setItem("swarm-theme", choice);
    } catch {
      // Storage may be forbidden; the choice then lasts as long as the page.
    }
    this.#changed();
  }

  /**
   * Resolve a custom property to a colour that a canvas understands (it knows neither variables
   * nor light-dark()), by letting an element compute it.
   * @param {string} token such as "--accent"
   */
  colour(token) {
    let colour = this.#colours.get(token);
    if (colour === undefined) {
      const probe = document.createElement("span");
      probe.style.color = `var(${token})`;
      document.body.append(probe);
      colour = getComputedStyle(probe).color;
      probe.remove();
      this.#colours.set(token, colour);
    }
    return colour;
  }

  #changed() {
    this.#colours.clear();
    this.dispatchEvent(new Event("change"));
  }
}
