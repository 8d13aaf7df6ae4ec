// A click on a point of <figure data-drill="/patterns/"> opens the page of what it stands for; the table behind the
// figure has the same links.

for (const figure of document.querySelectorAll("figure[data-drill]")) {
  figure.querySelector(".plot")?.on?.("plotly_click", ({ points: [point] }) => {
    location.assign(`${figure.dataset.drill}${point.customdata}/`);
  });
}
