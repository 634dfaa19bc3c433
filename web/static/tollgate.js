"use strict";
// Comforts that no page depends on: a line under a chart that says what the pointer is on, without
// the wait for a tooltip, and a button that copies the address of a report.

for (const figure of document.querySelectorAll("figure.chart")) {
  const line = figure.appendChild(document.createElement("figcaption"));
  const nothing = "\u00a0";
  line.className = "soft";
  line.ariaHidden = "true"; // the table says the same
  line.textContent = nothing;
  figure.addEventListener("pointerover", (event) => {
    const bar = event.target.closest("svg > a, svg > g");
    const title = bar && bar.querySelector(":scope > title");
    line.textContent = title ? title.textContent : nothing;
  });
  figure.addEventListener("pointerleave", () => { line.textContent = nothing; });
}

// The list of reports closes as lists do.
const menu = document.querySelector("details.menu");
if (menu) {
  document.addEventListener("click", (event) => { menu.open &&= menu.contains(event.target); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

const csv = document.querySelector('.links a[href*=".csv"]');
if (csv && navigator.clipboard) { // there is none over plain HTTP
  const button = document.createElement("button");
  csv.closest("ul").appendChild(document.createElement("li")).appendChild(button);
  button.textContent = "Copy link";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  });
}
