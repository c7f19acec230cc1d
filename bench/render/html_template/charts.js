"use strict";
(() => {
  const PRINTED_WIDTH = 680; // pixels of a page of paper
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)").matches;
  const charts = [...document.querySelectorAll(".chart")];
  const config = {
    displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    responsive: true,
  };

  // The colours of the page are the colours of its charts.
  const template = () => {
    const style = getComputedStyle(root);
    const [paper, ink, line] = ["--paper", "--ink", "--line"].map((name) => style.getPropertyValue(name).trim());
    const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line };
    return {
      layout: {
        font: { color: ink, family: "system-ui, sans-serif", size: 12 },
        hoverlabel: { align: "left", bgcolor: paper, bordercolor: line, font: { color: ink } },
        paper_bgcolor: paper,
        plot_bgcolor: paper,
        modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: ink },
        xaxis: axis,
        yaxis: axis,
      },
    };
  };

  const draw = (div) => {
    const figure = JSON.parse(div.nextElementSibling.textContent);
    figure.layout.template = template();
    figure.layout.dragmode = touch ? false : "zoom";
    return Plotly.newPlot(div, figure.data, figure.layout, config);
  };

  const toggle = (button) => {
    const shown = button.getAttribute("aria-pressed") === "false";
    button.setAttribute("aria-pressed", String(shown));
    const div = button.closest("figure").querySelector(".chart");
    show(div);
    const own = div.data.flatMap((trace, at) => (trace.legendgroup === button.dataset.group ? [at] : []));
    Plotly.restyle(div, { visible: shown }, own);
  };

  // Charts are drawn when they come near the window: a long report opens at once.
  const drawn = new Set();
  const show = (div) => {
    if (drawn.has(div)) return;
    drawn.add(div);
    near.unobserve(div);
    draw(div);
  };
  const near = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => show(entry.target)),
    { rootMargin: "400px" },
  );
  charts.forEach((div) => near.observe(div));
  document.querySelectorAll(".keys button").forEach((button) => button.addEventListener("click", () => toggle(button)));
  dark.addEventListener("change", () => drawn.forEach((div) => Plotly.relayout(div, { template: template() })));
  addEventListener("beforeprint", () => {
    root.classList.add("printing");
    document.querySelectorAll("details:has(figure)").forEach((details) => (details.open = true));
    charts.forEach(show);
    charts.forEach((div) => Plotly.relayout(div, { template: template(), width: PRINTED_WIDTH }));
  });
  addEventListener("afterprint", () => {
    root.classList.remove("printing");
    charts.forEach((div) => Plotly.relayout(div, { template: template(), width: null, autosize: true }));
  });
})();
