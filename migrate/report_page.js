(function () {
  "use strict";
  // An item is [sign, outcome, class, from, to, version, version, why].
  var items = JSON.parse(document.getElementById("items").textContent);
  var rank = { error: 0, differs: 1, single: 2, skipped: 3, good: 4 }; // what needs attention stands first
  items.sort(function (a, b) { return rank[a[2]] - rank[b[2]]; });
  var limit = 500; // rows at once, so that 200,000 items stay quick
  var filter = document.getElementById("filter");
  var outcome = document.getElementById("outcome");
  var rows = document.getElementById("rows");
  var shown = document.getElementById("shown");

  Array.from(new Set(items.map(function (i) { return i[1]; }))).sort().forEach(function (name) {
    var option = document.createElement("option");
    option.value = option.textContent = name;
    outcome.appendChild(option);
  });

  function matches(item, text) {
    return (!outcome.value || item[1] === outcome.value) &&
      (!text || [3, 4, 7].some(function (n) { return item[n].toLowerCase().indexOf(text) >= 0; }));
  }

  function show() {
    var text = filter.value.trim().toLowerCase();
    var found = items.filter(function (item) { return matches(item, text); });
    rows.replaceChildren.apply(rows, found.slice(0, limit).map(function (item) {
      var row = document.createElement("tr");
      row.className = item[2];
      [0, 1, 3, 5, 4, 6, 7].forEach(function (n) {
        row.appendChild(document.createElement("td")).textContent = item[n]; // text, never markup
      });
      return row;
    }));
    shown.textContent = found.length + " of " + items.length +
      (found.length > limit ? ", the first " + limit + " shown" : "");
  }

  filter.addEventListener("input", show);
  outcome.addEventListener("change", show);
  show();
})();
