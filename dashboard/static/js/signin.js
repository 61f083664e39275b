// Signs in with the token where the page needs it. Afterwards the server shows the page.

const form = /** @type {HTMLFormElement} */ (document.querySelector("#signin"));
const token = /** @type {HTMLInputElement} */ (document.querySelector("#token"));
const problem = /** @type {HTMLElement} */ (document.querySelector("#problem"));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  try {
    const answer = await fetch("api/v1/operator/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token.value }),
    });
    if (answer.ok) {
      location.reload();
      return;
    }
    const text = await answer.text();
    problem.textContent = answer.status === 401 ? "The token is wrong." : text.slice(0, 200);
  } catch {
    problem.textContent = "The dashboard cannot be reached.";
  }
});
